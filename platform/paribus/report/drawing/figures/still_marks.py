"""The marks, lines, bands and cells of a figure that is drawn once."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from paribus.report.drawing.figures.still_axes import Scale
from paribus.report.drawing.html_parts import shown
from paribus.report.numbers import amount

DASHES: Final[Mapping[str, str]] = {
    "dash": 'stroke-dasharray="6 4"',
    "dot": 'stroke-dasharray="2 3"',
    "dashdot": 'stroke-dasharray="8 3 2 3"',
}
# Within a square from -1 to 1.
_SHAPES: Final[Mapping[str, str]] = {
    "square": "M-.9-.9H.9V.9H-.9Z",
    "diamond": "M0-1.15L1.15 0L0 1.15L-1.15 0Z",
    "triangle-up": "M0-1.1L1.1.9H-1.1Z",
    "x": "M-1-.6L-.6-1L0-.4L.6-1L1-.6L.4 0L1 .6L.6 1L0 .4L-.6 1L-1 .6L-.4 0Z",
    "star": "M0-1.2L.35-.4L1.2-.35L.55.2L.75 1.05L0 .6L-.75 1.05L-.55.2L-1.2-.35L-.35-.4Z",
    "cross": "M-.35-1.1H.35V-.35H1.1V.35H.35V1.1H-.35V.35H-1.1V-.35H-.35Z",
    "hexagon": "M-1 0L-.5-.9H.5L1 0L.5.9H-.5Z",
    "line-ns": "M0-1V1",
    "line-ew": "M-1 0H1",
}
_STROKES: Final = ("line-ns", "line-ew")
_ASKED = re.compile(r"%\{(\w+)(?:\[(\d+)\])?(?::([^}]*))?\}")
_COLOUR = re.compile(r"[\d.]+")


def numbered(trace: Any) -> Iterator[tuple[int, Any, Any]]:
    """The points that there are: place, x, y."""
    for at, (x, y) in enumerate(zip(trace.x, trace.y, strict=True)):
        if x is not None and y is not None and all(isinstance(v, str) or math.isfinite(v) for v in (x, y)):
            yield at, x, y


def hover(trace: Any, at: int) -> str:
    """What hovering over a point tells, as text."""

    def value(name: str) -> Any:
        own = trace[name]
        return own if isinstance(own, str) else "" if own is None else own[at]

    return _filled(trace.hovertemplate, value)


def _filled(template: str | None, value: Callable[[str], Any]) -> str:
    """A hover template of plotly's with the values that it asks for by name, as text."""

    def told(found: re.Match[str]) -> str:
        name, place, form = found.groups()
        one = value(name) if place is None else value(name)[int(place)]
        if not form or isinstance(one, str):
            return str(one)
        return amount(float(one)) if form.endswith("s") else format(one, form)

    text = _ASKED.sub(told, (template or "").partition("<extra>")[0])
    return html.unescape(re.sub("<br ?/?>", "\n", text))


def mark(trace: Any, at: int, x: float, y: float, *, hovered: bool = True) -> str:
    """The mark of one point, at per cent of the sides."""
    marker = trace.marker
    symbol, colour, size = (_at(value, at) for value in (marker.symbol, marker.color, marker.size))
    if colour is None:
        colour = trace.line.color
    is_shaded = not isinstance(colour, str)
    if is_shaded:
        colour = _shaded(marker, (float(colour) - marker.cmin) / ((marker.cmax - marker.cmin) or 1.0))
    name = str(symbol or "circle").removesuffix("-open")
    radius = float(size or 8) / 2
    hollow = str(symbol or "").endswith("-open") and name not in _STROKES
    ring = "var(--paper)" if is_shaded else "none"  # it lies on its own colour
    style = f'fill="{"var(--paper)" if hollow else colour}" stroke="{colour if hollow or name in _STROKES else ring}"'
    title = f"<title>{shown(hover(trace, at))}</title>" if hovered and trace.hovertemplate else ""
    if name not in _SHAPES:
        return f'<circle cx="{x:.2f}%" cy="{y:.2f}%" r="{radius:g}" {style} stroke-width="1.5">{title}</circle>'
    shape = f'<path d="{_SHAPES[name]}" transform="scale({radius:g})" {style} stroke-width="{1.6 / radius:.2f}"/>'
    return f'<svg x="{x:.2f}%" y="{y:.2f}%" style="overflow: visible; display: inline">{title}{shape}</svg>'


def _at(value: Any, at: int) -> Any:
    return value if value is None or isinstance(value, (str, int, float)) else value[at]


def lines_of(traces: Sequence[Any], across: Scale, up: Scale, box: int) -> str:
    """The lines of all traces and the bands between them, in a box of that side."""
    parts, before = [], ""
    for trace in traces:
        if trace.type != "scatter" or "lines" not in str(trace.mode):
            continue
        pieces = [_stepped(trace.line.shape, piece) for piece in _pieces(trace, across, up)]
        ways = [" ".join(f"{x * box / 100:.0f},{y * box / 100:.0f}" for x, y in piece) for piece in pieces]
        way = " ".join(ways)
        if trace.fill == "tonexty":
            back = " ".join(reversed(way.split(" ")))
            parts.append(f'<polygon points="{before} {back}" fill="{trace.fillcolor}"/>')
        before = way
        if trace.line.width != 0:
            look = (
                f'stroke="{trace.line.color}" stroke-width="{trace.line.width or 2}" {DASHES.get(trace.line.dash, "")}'
            )
            seen = "" if trace.opacity is None else f' opacity="{trace.opacity:g}"'
            parts += [
                f'<polyline points="{each}" fill="none" {look}{seen} vector-effect="non-scaling-stroke"/>'
                for each in ways
            ]
    return "".join(parts)


def _pieces(trace: Any, across: Scale, up: Scale) -> list[list[tuple[float, float]]]:
    """The trace's points in per cent; a point that is none ends a piece."""
    pieces: list[list[tuple[float, float]]] = []
    last = -2
    for at, x, y in numbered(trace):
        if at != last + 1:
            pieces.append([])
        pieces[-1].append((across.at(x), 100 - up.at(y)))
        last = at
    return pieces


def _stepped(shape: str | None, points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """`hv`: first along, then up; `vh`: first up; else straight from point to point."""
    if shape not in ("hv", "vh") or not points:
        return points
    found = [points[0]]
    for (x, y), (next_x, next_y) in pairwise(points):
        found += [(next_x, y) if shape == "hv" else (x, next_y), (next_x, next_y)]
    return found


def heat(trace: Any, across: Scale, up: Scale) -> str:
    """The cells of a heatmap that have a value."""
    wide, high = _cell_size(trace.x, across), _cell_size(trace.y, up)
    seen = "" if trace.opacity is None else f' opacity="{trace.opacity:g}"'
    parts = []
    for row, y in enumerate(trace.y):
        for column, x in enumerate(trace.x):
            value = float(trace.z[row][column])
            if not math.isfinite(value):
                continue
            told = f"<title>{shown(_cell_told(trace, row, column))}</title>" if trace.hovertemplate else ""
            share = (value - trace.zmin) / ((trace.zmax - trace.zmin) or 1.0)
            parts.append(
                f'<rect x="{across.at(x) - wide / 2:.2f}%" y="{100 - up.at(y) - high / 2:.2f}%" '
                f'width="{wide:.2f}%" height="{high:.2f}%" fill="{_shaded(trace, share)}"{seen} '
                f'shape-rendering="crispEdges">{told}</rect>'
            )
    return "".join(parts)


def _cell_size(places: Sequence[Any], scale: Scale) -> float:
    """How much of a side a cell takes, in per cent."""
    if scale.words:
        return 100 / len(scale.words)
    return abs(scale.at(places[1]) - scale.at(places[0])) if len(places) > 1 else 100.0


def _shaded(scaled: Any, share: float) -> str:
    """The colour at a share of the scale of a heatmap or of a trace's marks."""
    share = min(max(share, 0.0), 1.0)
    return _coloured(scaled.colorscale, 1 - share if scaled.reversescale else share)


def _cell_told(trace: Any, row: int, column: int) -> str:
    own = {"x": trace.x[column], "y": trace.y[row], "z": trace.z[row][column]}
    return _filled(trace.hovertemplate, lambda name: own[name] if name in own else trace[name][row][column])


def _coloured(scale: Sequence[tuple[float, str]], share: float) -> str:
    """The colour at a share of the scale, in between the two beside it."""
    for (low, one), (high, other) in pairwise(scale):
        if share <= high:
            part = (share - low) / (high - low)
            (*near, thin), (*far, thick) = _parts(one), _parts(other)
            alpha = thin + part * (thick - thin)
            # What can hardly be seen colours little.
            weight = part * thick / (alpha or 1.0)
            red, green, blue = (a + weight * (b - a) for a, b in zip(near, far, strict=True))
            return f"rgba({red:.0f}, {green:.0f}, {blue:.0f}, {alpha:.2f})"
    return scale[-1][1]


def _parts(colour: str) -> list[float]:
    if colour.startswith("#"):
        return [*(float(int(colour[at : at + 2], 16)) for at in (1, 3, 5)), 1.0]
    return [float(part) for part in _COLOUR.findall(colour)]
