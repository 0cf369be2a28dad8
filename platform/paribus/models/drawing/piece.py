"""Where consecutive operations lie: one run of Graphviz.

Every size is given to Graphviz in points, no text: its fonts differ from machine to machine, and a picture must not.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pygraphviz

from paribus.models.drawing.figure import Figure
from paribus.models.drawing.places import Box, Edge, Layout, Point
from paribus.models.drawing.scopes import Scope
from paribus.models.drawing.trace import Graph

TITLE_PT = 16.0  # height of a frame's title


@dataclass(frozen=True)
class Piece:
    """The layout of some consecutive operations; what ties it to others comes in at `entry` and leaves at `exit`."""

    layout: Layout
    entry: Point
    exit: Point


def lay_out_piece(
    figure: Figure, numbers: Sequence[int], sizes: Mapping[int, Point], title_widths: Mapping[str, float]
) -> Piece:
    """Graphviz's dot over some operations; what they hand over to others leaves at the bottom."""
    graph = pygraphviz.AGraph(directed=True, strict=True, rankdir="TB", nodesep="0.16", ranksep="0.24", ordering="out")
    graph.node_attr.update(shape="box", label="", fixedsize="true")
    graph.edge_attr.update(arrowsize="0.6")
    inside, chains, readers = set(numbers), _chains(figure.graph), _readers(figure.graph)
    ports = _ports(figure, numbers, readers)
    for port in ports:
        graph.add_node(port, shape="point", width="0.001", height="0.001")
    for number in numbers:
        width, height = sizes[number]
        graph.add_node(number, width=width / 72, height=height / 72, group=chains[number])
        for source in figure.graph[number].inputs:
            # Branches begin side by side, where their input is.
            weight = 3 if len(readers[source]) > 1 else 1
            port = _port(figure, number, source) if source in inside else "entry"
            if port not in ports:
                graph.add_edge(source, number, weight=weight)
                continue
            graph.add_edge(port, number, weight=weight)
            if source in inside:
                graph.add_edge(source, port)
        if not readers[number] <= inside:
            graph.add_edge(number, "exit")
    if "exit" in ports:
        graph.add_subgraph(["exit"], rank="sink")
    paths: dict[int | str, Scope] = {number: figure.scopes[number] for number in numbers}
    paths.update(ports)
    _add_frames(graph, paths, title_widths)
    graph.layout("dot")
    return _read(graph, numbers, list(ports))


def _ports(figure: Figure, numbers: Sequence[int], readers: Mapping[int, set[int]]) -> dict[str, Scope]:
    """The points that edges run through, with their frames.

    What comes from another piece fans out in the frame of all its readers, and what comes from another frame in the
    frame that reads it more than once.
    """
    inside, ports = set(numbers), dict[str, Scope]()
    outer = [figure.scopes[n] for n in numbers if set(figure.graph[n].inputs) - inside]
    if outer:
        ports["entry"] = tuple(path for path in outer[0] if all(path in frames for frames in outer))
    if any(not readers[number] <= inside for number in numbers):
        ports["exit"] = ()
    found = Counter(
        (_port(figure, n, source), _into(figure, n, source))
        for n in numbers
        for source in figure.graph[n].inputs
        if source in inside
    )
    return ports | {port: frames for (port, frames), times in found.items() if times > 1 and frames}


def _into(figure: Figure, number: int, source: int) -> Scope:
    """The frame that an edge from `source` to `number` enters first; () where it enters none."""
    own, other = figure.scopes[number], figure.scopes[source]
    shared = sum(path in other for path in own)
    return own[: shared + 1] if len(own) > shared else ()


def _port(figure: Figure, number: int, source: int) -> str:
    return f"{source} into {'/'.join(_into(figure, number, source))}"


def _readers(graph: Graph) -> dict[int, set[int]]:
    """The operations that read each one."""
    found: dict[int, set[int]] = {number: set() for number in graph}
    for number, operation in graph.items():
        for source in operation.inputs:
            found[source].add(number)
    return found


def _chains(graph: Graph) -> dict[int, int]:
    """For each operation the first of the chain that leads to it alone: Graphviz draws a chain straight."""
    reads = Counter(source for operation in graph.values() for source in operation.inputs)
    chains: dict[int, int] = {}
    for number, operation in graph.items():
        alone = len(operation.inputs) == 1 and reads[operation.inputs[0]] == 1
        chains[number] = chains[operation.inputs[0]] if alone else number
    return chains


def _add_frames(graph: pygraphviz.AGraph, paths: Mapping[int | str, Scope], title_widths: Mapping[str, float]) -> None:
    parents: dict[Scope, pygraphviz.AGraph] = {(): graph}
    for frames in sorted(set(paths.values()), key=len):
        for depth in range(1, len(frames) + 1):
            if frames[:depth] in parents:
                continue
            path = frames[depth - 1]
            members = [name for name, found in paths.items() if found[:depth] == frames[:depth]]
            # Twice the title's width: it can lie on either side of an edge that comes in at the middle.
            width = 2 * title_widths[path] + TITLE_PT
            room = f"<TABLE BORDER='0' FIXEDSIZE='TRUE' WIDTH='{width:.0f}' HEIGHT='{TITLE_PT:.0f}'>"
            parents[frames[:depth]] = parents[frames[: depth - 1]].add_subgraph(
                members, name=f"cluster {path}", label=f"<{room}<TR><TD></TD></TR></TABLE>>", labeljust="l", margin="9"
            )


def _read(graph: pygraphviz.AGraph, numbers: Sequence[int], port_names: Sequence[str]) -> Piece:
    left, bottom, right, top = _numbers(graph.graph_attr["bb"])

    def point(text: str) -> Point:
        x, y = _numbers(text)
        return x - left, top - y

    def box(text: str) -> Box:
        x0, y0, x1, y1 = _numbers(text)
        return Box(x0 - left, top - y1, x1 - left, top - y0)

    ports = {port: point(graph.get_node(port).attr["pos"]) for port in port_names}
    nodes = {}
    for number in numbers:
        attributes = graph.get_node(number).attr
        x, y = point(attributes["pos"])
        right_, down = float(attributes["width"]) * 36, float(attributes["height"]) * 36
        nodes[number] = Box(x - right_, y - down, x + right_, y + down)
    edges = []
    for edge in graph.edges():
        start, end, points = None, None, []
        for text in edge.attr["pos"].split():
            if text.startswith("e,"):
                end = point(text[2:])
            else:
                points.append(point(text))
        # Graphviz ends a curve before the arrow's tip, and at the rim of a port.
        start = ports.get(edge[0], points[0])
        end = ports.get(edge[1], end or points[-1])
        edges.append(Edge((start, start, *points[:1], *points, points[-1], end, end), arrow=edge[1] not in ports))
    frames = {}
    for subgraph in _clusters(graph):
        frames[subgraph.name.removeprefix("cluster ")] = box(subgraph.graph_attr["bb"])
    first, last = nodes[numbers[0]], nodes[numbers[-1]]
    entry = ports.get("entry", (first.middle, first.top))
    exit_ = ports.get("exit", (last.middle, last.bottom))
    return Piece(Layout(right - left, top - bottom, nodes, frames, edges), entry, exit_)


def _clusters(graph: pygraphviz.AGraph) -> list[pygraphviz.AGraph]:
    found = []
    for subgraph in graph.subgraphs():
        if subgraph.name and subgraph.name.startswith("cluster "):
            found += [subgraph, *_clusters(subgraph)]
    return found


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]
