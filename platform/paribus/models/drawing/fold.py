"""Several operations that a figure draws as one: conv, norm and activation; a scaled sum; squeeze-and-excitation."""

from collections import Counter
from dataclasses import replace

from paribus.models.drawing.scopes import Scope
from paribus.models.drawing.trace import Graph, Operation


def fold(graph: Graph, scopes: dict[int, Scope]) -> Graph:
    """`graph` with what a figure draws as one folded into one operation; its notes name the parts."""
    return _fold_squeeze(_fold_scales(_fold_followers(graph, scopes)))


def _fold_followers(graph: Graph, scopes: dict[int, Scope]) -> Graph:
    """A norm or activation that alone reads an operation of its own unit becomes a note on it."""
    readers_of, graph = _readers(graph), dict(graph)
    moved: dict[int, int] = {}
    for number, operation in graph.items():
        if operation.kind not in ("norm", "act") or len(operation.inputs) != 1:
            continue
        host = operation.inputs[0]
        host = moved.get(host, host)
        near = scopes[host] == scopes[number] or max(len(scopes[host]), len(scopes[number])) < 2
        if readers_of[operation.inputs[0]] > 1 or graph[host].kind == "input" or not near:
            continue
        graph[host] = replace(
            graph[host], notes=(*graph[host].notes, operation.text), params=graph[host].params + operation.params
        )
        moved[number] = host
    return rewired(graph, moved)


def _fold_scales(graph: Graph) -> Graph:
    """A product with a number that alone feeds a sum becomes the sum's own: `x + 0.1 f(x)`."""
    readers_of, graph = _readers(graph), dict(graph)
    moved: dict[int, int] = {}
    for number, operation in graph.items():
        if operation.kind != "add":
            continue
        for source in operation.inputs:
            factor = graph[source]
            if factor.kind == "scale" and factor.text.startswith("×") and readers_of[source] == 1 and not factor.notes:
                graph[number] = replace(operation, text=f"x + {factor.text.removeprefix('× ')} f(x)")
                moved[source] = factor.inputs[0]
    return rewired(graph, moved)


def _fold_squeeze(graph: Graph) -> Graph:
    """Pool, two layers, gate and product with what was pooled become one: Squeeze-and-Excitation (Hu et al. 2018)."""
    readers_of, graph = _readers(graph), dict(graph)
    moved: dict[int, int] = {}
    for number, operation in graph.items():
        if operation.kind != "gate" or len(operation.inputs) != 2:
            continue
        chain = _squeeze(graph, readers_of, operation.inputs)
        if not chain:
            continue
        x = graph[chain[0]].inputs[0]
        layers = [graph[link] for link in chain if graph[link].kind in ("conv", "classifier")]
        reduction = operation.shape[0] / layers[0].shape[0]
        squeeze = graph[chain[0]].text if graph[chain[0]].kind == "pool" else "no squeeze"
        squeeze = squeeze.removeprefix("global average pool").removeprefix("global ")
        notes = (*[squeeze] * bool(squeeze), *graph[chain[-1]].notes[-1:], *operation.notes)
        params = operation.params + sum(graph[link].params for link in chain)
        path = graph[chain[0]].path
        graph[number] = Operation("gate", f"SE, r = {reduction:g}", (x,), operation.shape, path, params, notes)
        moved |= dict.fromkeys(chain, x)
    return rewired(graph, moved)


def _squeeze(graph: Graph, readers_of: Counter[int], inputs: tuple[int, ...]) -> list[int]:
    """The operations from the squeeze to the gate, or none if that is not what multiplies."""
    for x, link in (inputs, inputs[::-1]):
        chain: list[int] = []
        while link != x and readers_of[link] == 1 and len(graph[link].inputs) == 1:
            chain.insert(0, link)
            link = graph[link].inputs[0]
        layers = sum(graph[number].kind in ("conv", "classifier") for number in chain)
        if link == x and layers == 2:
            return chain
    return []


def _readers(graph: Graph) -> Counter[int]:
    """How many operations read each one."""
    return Counter(source for operation in graph.values() for source in set(operation.inputs))


def rewired(graph: Graph, moved: dict[int, int]) -> Graph:
    """`graph` without the keys of `moved`; who read them reads what they moved to."""

    def final(number: int) -> int:
        while number in moved:
            number = moved[number]
        return number

    return {
        number: replace(operation, inputs=tuple(final(source) for source in operation.inputs))
        for number, operation in graph.items()
        if number not in moved
    }
