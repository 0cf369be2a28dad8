"""Where all parts of a figure lie: pieces, cut where a single value is handed on, fill the columns of a page."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from paribus.models.drawing.figure import Figure
from paribus.models.drawing.piece import Piece, lay_out_piece
from paribus.models.drawing.places import Box, Edge, Layout, Point

_GAP_PT = 22.0  # between pieces
_GUTTER_PT = 44.0  # between columns
_TALL = 1.25  # height over width of a page


def lay_out(figure: Figure, sizes: Mapping[int, Point], title_widths: Mapping[str, float]) -> Layout:
    """Place operations of `sizes` (width, height in points) and frames whose titles have `title_widths`."""
    pieces = [lay_out_piece(figure, numbers, sizes, title_widths) for numbers in _pieces(figure)]
    columns = _columns(pieces)
    height = max(sum(piece.layout.height + _GAP_PT for piece in column) for column in columns)
    nodes: dict[int, Box] = {}
    frames: dict[str, Box] = {}
    edges: list[Edge] = []
    left, tail = 0.0, None
    for column in columns:
        axis = left + max(piece.entry[0] for piece in column)
        y = 0.0
        for piece in column:
            x = max(left, axis - piece.entry[0])
            if tail is not None:
                edges.append(_tie(tail, (x + piece.entry[0], y + piece.entry[1]), left - _GUTTER_PT / 2, y))
            nodes |= {number: box.moved(x, y) for number, box in piece.layout.nodes.items()}
            frames |= {path: box.moved(x, y) for path, box in piece.layout.frames.items()}
            edges += [edge.moved(x, y) for edge in piece.layout.edges]
            tail = (x + piece.exit[0], y + piece.exit[1])
            y += piece.layout.height + _GAP_PT
        left = max(box.right for box in [*nodes.values(), *frames.values()]) + _GUTTER_PT
    return Layout(left - _GUTTER_PT, height, nodes, frames, edges)


def _pieces(figure: Figure) -> list[list[int]]:
    """Consecutive operations, cut between stages where one value of the piece itself, and no other, is handed on."""
    blocks = [list(block) for _, block in groupby(figure.graph, key=lambda number: figure.scopes[number][:1])]
    places = {number: place for place, number in enumerate(figure.graph)}
    last_read: dict[int, int] = {}
    for number, operation in figure.graph.items():
        last_read |= dict.fromkeys(operation.inputs, places[number])
    pieces: list[list[int]] = [[]]
    for block in blocks:
        crossing = [number for number, place in last_read.items() if places[number] < places[block[0]] <= place]
        if len(crossing) == 1 and crossing[0] in pieces[-1]:
            pieces.append([])
        pieces[-1] += block
    return pieces


def _columns(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """The pieces in as few columns as make the whole no taller than a page is."""
    heights = [piece.layout.height + _GAP_PT for piece in pieces]
    for count in range(1, len(pieces) + 1):
        columns = _fill(pieces, heights, count)
        width = sum(max(piece.layout.width for piece in column) + _GUTTER_PT for column in columns)
        if max(sum(piece.layout.height + _GAP_PT for piece in column) for column in columns) <= _TALL * width:
            break
    return columns


def _fill(pieces: Sequence[Piece], heights: Sequence[float], count: int) -> list[list[Piece]]:
    """At most `count` columns in order, the tallest as short as can be."""
    for limit in sorted({sum(heights[i:j]) for i in range(len(heights)) for j in range(i + 1, len(heights) + 1)}):
        columns: list[list[Piece]] = [[]]
        filled = 0.0
        for piece, height in zip(pieces, heights, strict=True):
            if columns[-1] and filled + height > limit + 1e-6:
                columns.append([])
                filled = 0.0
            columns[-1].append(piece)
            filled += height
        if len(columns) <= count and max(heights) <= limit + 1e-6:
            return columns
    raise AssertionError("one column holds everything")


def _tie(tail: Point, head: Point, gutter: float, top: float) -> Edge:
    """From the end of one piece to the next: down, or over the gutter to the `top` of the next column."""
    (x0, y0), (x1, y1) = tail, head
    if y1 > y0:
        half = min(top, y1) - _GAP_PT / 2
        return Edge(_straight([tail, (x0, half), (x1, half), head]), arrow=False)
    up, down = top - _GAP_PT / 2, y0 + _GAP_PT / 2
    return Edge(_straight([tail, (x0, down), (gutter, down), (gutter, up), (x1, up), head]), arrow=False)


def _straight(corners: Sequence[Point]) -> tuple[Point, ...]:
    """A line through `corners` as cubic pieces, its corners rounded."""
    radius = 7.0
    points = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        enter, leave = _towards(corner, before, radius), _towards(corner, after, radius)
        points += [points[-1], enter, enter, corner, corner, leave]
    return (*points, points[-1], corners[-1], corners[-1])


def _towards(start: Point, end: Point, distance: float) -> Point:
    (x0, y0), (x1, y1) = start, end
    length = max(abs(x1 - x0) + abs(y1 - y0), 1e-9)
    part = min(distance / length, 0.5)
    return x0 + (x1 - x0) * part, y0 + (y1 - y0) * part
