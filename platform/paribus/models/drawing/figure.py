"""What is drawn of a net: its folded operations, and the frames of stages and units around them."""

from collections import Counter
from dataclasses import dataclass

from torch import nn

from paribus.models.drawing.fold import fold
from paribus.models.drawing.repeats import collapse
from paribus.models.drawing.scopes import Scope, scope, title
from paribus.models.drawing.trace import Graph


@dataclass(frozen=True)
class Figure:
    """What is drawn: operations, the frames around them, and how often each frame stands for."""

    graph: Graph
    scopes: dict[int, Scope]
    counts: dict[str, int]  # of the frames that stand for more than one
    titles: dict[str, str]


def figure(graph: Graph, net: nn.Module, expand: bool = False) -> Figure:
    """The figure of a traced net; `expand` draws equal units one by one."""
    scopes = {number: scope(net, operation.path) for number, operation in graph.items()}
    graph = fold(_heads_beside_trunk(graph, scopes), scopes)
    counts: dict[str, int] = {}
    if not expand:
        for level in (2, 1):
            graph, counts = collapse(graph, scopes, counts, level)
    sizes = Counter(path for number in graph for path in scopes[number])
    scopes = {number: tuple(path for path in scopes[number] if sizes[path] > 1 or path in counts) for number in graph}
    titles = {path: title(net, path, depth > 0) for frames in scopes.values() for depth, path in enumerate(frames)}
    for stage in {frames[0] for frames in scopes.values() if frames}:
        units = {frames[1:] for frames in scopes.values() if frames[:1] == (stage,)}
        if len(units) == 1 and (only := units.pop()):  # one frame is enough for a stage of one unit
            scopes |= {number: only for number, frames in scopes.items() if frames[:1] == (stage,)}
            titles[only[0]] = f"{titles.pop(stage)} · {titles[only[0]]}"
    return Figure(graph, scopes, counts, titles)


def _heads_beside_trunk(graph: Graph, scopes: dict[int, Scope]) -> Graph:
    """An auxiliary head right after the stage that it reads, whenever it runs."""
    outputs = [number for number, operation in graph.items() if operation.kind == "output"]
    trunk, waiting = set[int](), [outputs[0]]
    while waiting:
        number = waiting.pop()
        trunk.add(number)
        waiting += set(graph[number].inputs) - trunk
    last_of = {scopes[number][:1]: number for number in graph if number in trunk and scopes[number]}
    anchors: dict[int, int] = {}
    for number, operation in graph.items():
        if number in trunk or not operation.inputs:
            anchors[number] = number
        else:
            source = max(operation.inputs)
            anchors[number] = last_of.get(scopes[source][:1], source) if source in trunk else anchors[source]
    return {number: graph[number] for number in sorted(graph, key=lambda n: (anchors[n], n not in trunk, n))}
