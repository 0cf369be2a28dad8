"""Several operations that a figure draws as one: conv, norm and activation; a scaled sum; squeeze-and-excitation."""

from collections import Counter
from dataclasses import replace

from paribus.models.drawing.scopes import Scope
from paribus.models.drawing.trace import Graph, Operation


def fold(graph: Graph, scopes: dict[int, Scope]) -> Graph:
    """`graph` with what a figure draws as one folded into one operation; its notes name the parts."""
    return _fold_concat(_fold_squeeze(_fold_separable(_fold_scales(_fold_followers(graph, scopes)))))


def _fold_followers(graph: Graph, scopes: dict[int, Scope]) -> Graph:
    """A norm or activation that alone reads an operation of its own unit becomes a note on it.

    What starts a unit stays apart: a pre-activation is no part of the sum before it.
    """
    readers_of, graph = _readers(graph), dict(graph)
    moved: dict[int, int] = {}
    for number, operation in graph.items():
        if operation.kind not in ("norm", "act") or len(operation.inputs) != 1:
            continue
        host = operation.inputs[0]
        host = moved.get(host, host)
        unit, own = scopes[host], scopes[number]
        near = unit[: len(own)] == own or max(len(unit), len(own)) < 2
        if readers_of[operation.inputs[0]] > 1 or graph[host].kind == "input" or not near:
            continue
        graph[host] = replace(
            graph[host], notes=(*graph[host].notes, operation.text), params=graph[host].params + operation.params
        )
        moved[number] = host
    return rewired(graph, moved)


def _fold_scales(graph: Graph) -> Graph:
    """A product with a number that alone feeds a sum becomes the sum's own: `0.5 x + f(x)`.

    A sum reads the shortcut first, then the branch, as `Join` writes it.
    """
    readers_of, graph = _readers(graph), dict(graph)
    moved: dict[int, int] = {}
    for number, operation in graph.items():
        if operation.kind != "add" or len(operation.inputs) != 2:
            continue
        for place, source in enumerate(operation.inputs):
            factor, text = graph[source], graph[number].text
            alone = readers_of[source] == 1 and not factor.notes
            if factor.kind != "scale" or not factor.text.startswith("×") or not alone or (place and text != "+"):
                continue
            scale = factor.text.removeprefix("× ")
            text = f"x + {scale} f(x)" if place else f"{scale} {text if text != '+' else 'x + f(x)'}"
            graph[number] = replace(operation, text=text)
            moved[source] = factor.inputs[0]
    return rewired(graph, moved)


def _fold_separable(graph: Graph) -> Graph:
    """A depthwise conv that a 1x1 conv of the same module alone reads is one with it (Xception, section 1.2)."""
    readers_of, graph = _readers(graph), dict(graph)
    moved: dict[int, int] = {}
    for number, operation in graph.items():
        if operation.text != "conv 1×1":
            continue
        source = operation.inputs[0]
        depthwise = graph[source]
        of_one_module = depthwise.path.rpartition(".")[0] == operation.path.rpartition(".")[0]
        if not depthwise.text.startswith("depthwise") or readers_of[source] > 1 or not of_one_module:
            continue
        between = f" ({' · '.join(depthwise.notes)} between)" if depthwise.notes else ""
        text = depthwise.text.replace("depthwise", "separable conv") + between
        graph[number] = replace(operation, text=text, params=operation.params + depthwise.params)
        moved[source] = depthwise.inputs[0]
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


def _fold_concat(graph: Graph) -> Graph:
    """A concat that another alone reads is part of that (Inception-v4, figure 6)."""
    readers_of, graph = _readers(graph), dict(graph)
    for number, operation in list(graph.items()):
        if operation.kind != "concat":
            continue
        inner = {s for s in operation.inputs if graph[s].kind == "concat" and readers_of[s] == 1 and not graph[s].notes}
        inputs = tuple(i for s in operation.inputs for i in (graph[s].inputs if s in inner else (s,)))
        graph[number] = replace(operation, inputs=inputs)
        for source in inner:
            del graph[source]
    return graph


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
