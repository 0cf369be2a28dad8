"""Equal units in a row, drawn once with × N."""

from dataclasses import replace
from itertools import groupby, pairwise

from paribus.models.drawing.fold import rewired
from paribus.models.drawing.scopes import Scope
from paribus.models.drawing.trace import Graph, Operation

Counts = dict[str, int]  # how many frames one is drawn for, by its path; those drawn for themselves are left out


def collapse(graph: Graph, scopes: dict[int, Scope], counts: Counts, level: int) -> tuple[Graph, Counts]:
    """`graph` with runs of equal frames of `level` (1 stages, 2 units) as the first of them, and `counts` with these.

    Frames of several operations are equal where these, their shapes, parameters and edges are, and a run where each
    reads the one before and is alone in reading it.
    """
    blocks = [list(block) for _, block in groupby(graph, key=lambda number: scopes[number][:level])]
    signatures = [_signature(graph, scopes, counts, block, level) for block in blocks]
    counts, first = dict(counts), blocks[0]
    moved: dict[int, int] = {}
    for (before, signature_before), (block, signature) in pairwise(zip(blocks, signatures, strict=True)):
        path, path_before = scopes[block[0]][:level], scopes[before[0]][:level]
        of_one_parent = len(path) == len(path_before) == level and path[:-1] == path_before[:-1] and len(block) > 1
        if of_one_parent and signature == signature_before and _chained(graph, before, block):
            moved |= dict(zip(block, first, strict=True))
            graph = graph | {to: _ranging(graph[to], graph[number]) for number, to in zip(block, first, strict=True)}
            name = scopes[first[0]][level - 1]
            counts[name] = counts.get(name, 1) + 1
        else:
            first = block
    return rewired(graph, moved), counts


def _signature(graph: Graph, scopes: dict[int, Scope], counts: Counts, block: list[int], level: int) -> list[object]:
    """What blocks must share to be drawn as one: their operations, and how these read each other."""
    places = {number: place for place, number in enumerate(block)}
    outside: dict[int, str] = {}
    rows: list[object] = []
    for number in block:
        operation = graph[number]
        sources = [places.get(s, outside.setdefault(s, f"outside {len(outside)}")) for s in operation.inputs]
        inner = [counts.get(path, 1) for path in scopes[number][level:]]
        # Stochastic depth keeps each unit with a chance of its own: they are drawn as one, with the range.
        text = "" if operation.kind == "dropout" else operation.text
        rows.append((operation.kind, text, operation.notes, operation.shape, operation.params, sources, inner))
    return rows


def _chained(graph: Graph, before: list[int], block: list[int]) -> bool:
    """Whether `block` reads `before` alone, and is alone in reading it."""
    here, there = set(block), set(before)
    read = {source for number in block for source in graph[number].inputs} - here
    readers = {number for number, operation in graph.items() if there & set(operation.inputs)}
    return read <= there and readers <= here | there


def _ranging(first: Operation, last: Operation) -> Operation:
    if first.text == last.text:
        return first
    return replace(first, text=f"{first.text.partition(' … ')[0]} … {last.text.split()[-1]}")
