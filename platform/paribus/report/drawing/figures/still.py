"""A figure of points and lines as HTML and SVG, drawn once: no library of 4.7 MB goes to a browser for it.

It reads the `go.Figure` that the figures of this folder are, as far as they go: traces of scatter and heatmap, error
bars, bands, vertical lines, axes of numbers, of logarithms and of words.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from paribus.report.drawing.figures.still_axes import Scale, scale_of, whiskers
from paribus.report.drawing.figures.still_marks import DASHES, heat, hover, lines_of, mark, numbered
from paribus.report.drawing.html_parts import shown
from paribus.report.numbers import show_number

if TYPE_CHECKING:
    import plotly.graph_objects as go

# A character of 12 px in pixels, about, and what y labels take at most.
_CHARACTER_PX, _MOST_LABEL_PX = 6.4, 190
_BOX = 1000
# Text that lines run through is legible over them.
_HALO = 'style="paint-order: stroke; stroke: var(--paper); stroke-width: 4px"'


def still(figure: go.Figure) -> str:
    """The figure as HTML, as wide as its page; what hovering tells is each mark's `title`."""
    layout = figure.layout
    across, up = scale_of(figure, "x"), scale_of(figure, "y")
    height = int(layout.height or 400) - 120
    title, y_title = str(layout.title.text or ""), _text(layout.yaxis.title.text)
    named = "; ".join(filter(None, [title, _axis_said("across", layout.xaxis), _axis_said("upwards", layout.yaxis)]))
    rules = "" if any(trace.type == "heatmap" for trace in figure.data) else _rules(across, up, height)
    plot = (
        f'<svg width="100%" height="{height}" role="img" aria-label="{shown(_text(named))}">'
        f"{rules}{_upright(layout.shapes, across)}"
        f'<svg class="plot" width="100%" height="{height}" viewBox="0 0 {_BOX} {_BOX}" preserveAspectRatio="none">'
        f"{lines_of(figure.data, across, up, _BOX)}</svg>"
        f"{''.join(_marks(trace, across, up) for trace in figure.data)}</svg>"
    )
    labels, gutter = _labels(up, height)
    below = f"{_below(across)}" + (f'<div class="mid">{shown(_text(layout.xaxis.title.text))}</div>')
    head = f"<b>{shown(_text(title))}</b>" + (f'<div class="quiet">{shown(y_title)}</div>' if y_title else "")
    return (
        f'<figure class="still whole">{head}{_key(figure)}{_colours(figure)}'
        f'<div style="display: grid; grid-template-columns: {gutter}px 1fr; padding-top: 8px">'
        f'{labels}{plot}<span></span><div class="quiet">{below}</div></div></figure>'
    )


def still_rows(figure: go.Figure) -> list[dict[str, object]]:
    """What the figure shows as rows: a point a row, with the ends of its interval where it has one."""
    rows: list[dict[str, object]] = []
    for trace in figure.data:
        if trace.type == "heatmap":
            rows += [
                {"series": "", "x": x, "y": y, "value": float(value)}
                for y, line in zip(trace.y, trace.z, strict=True)
                for x, value in zip(trace.x, line, strict=True)
            ]
            continue
        told = {axis: whiskers(trace, axis) for axis in "xy"}
        for at, x, y in numbered(trace):
            row: dict[str, object] = {"series": _text(trace.name), "x": _cell(x), "y": _cell(y)}
            for axis, ends in told.items():
                if any(told.values()):
                    row |= {f"{axis} low": ends[at][0] if ends else "", f"{axis} high": ends[at][1] if ends else ""}
            rows.append({**row, "says": _text(hover(trace, at)).replace("\n", "; ")})
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return [{column: row.get(column, "") for column in columns} for row in rows]


def _cell(value: object) -> object:
    return _text(value) if isinstance(value, str) else value


def _text(text: object) -> str:
    """What Plotly would show for a text: its line breaks as lines, its entities as signs."""
    return html.unescape(re.sub("<br ?/?>", "\n", str(text or ""))).strip()


def _axis_said(side: str, axis: Any) -> str:
    return f"{side}: {axis.title.text}" if axis.title.text else ""


def _rules(across: Scale, up: Scale, height: int) -> str:
    level = "".join(
        f'<line x2="100%" y1="{y}" y2="{y}" stroke="var(--line)"/>'
        for y in (round(height - up.at(tick) * height / 100, 1) for tick, _ in up.ticks())
    )
    upright = "".join(
        f'<line x1="{across.at(tick)}%" x2="{across.at(tick)}%" y2="{height}" stroke="var(--line)"/>'
        for tick, _ in across.ticks()
    )
    return level + upright + f'<line x2="100%" y1="{height}" y2="{height}" stroke="var(--quiet)"/>'


def _upright(shapes: Sequence[Any], across: Scale) -> str:
    return "".join(
        f'<line x1="{across.at(shape.x0)}%" x2="{across.at(shape.x0)}%" y2="100%" stroke="var(--quiet)"/>'
        for shape in shapes
        if shape.type == "line" and shape.x0 == shape.x1
    )


def _marks(trace: Any, across: Scale, up: Scale) -> str:
    if trace.type == "heatmap":
        return heat(trace, across, up)
    parts = []
    for axis in "xy":
        if ends := whiskers(trace, axis):
            parts += [_whisker(trace, at, axis, ends[at], (across, up)) for at, _, _ in numbered(trace)]
    if "markers" in str(trace.mode):
        parts += [mark(trace, at, across.at(x), 100 - up.at(y)) for at, x, y in numbered(trace)]
    if "text" in str(trace.mode):
        parts += [
            f'<text x="{across.at(x)}%" y="{100 - up.at(y):.2f}%" dy="4" dx="4" {_HALO}>'
            f"{shown(_text(trace.text[at]))}</text>"
            for at, x, y in numbered(trace)
        ]
    return "".join(parts)


def _whisker(trace: Any, at: int, axis: str, ends: tuple[float, float], scales: tuple[Scale, Scale]) -> str:
    across, up = scales
    bar = trace[f"error_{axis}"]
    style = f'stroke="{bar.color or trace.marker.color}" stroke-width="{bar.thickness or 2}"'
    if axis == "x":
        y = 100 - up.at(trace.y[at])
        return f'<line x1="{across.at(ends[0])}%" x2="{across.at(ends[1])}%" y1="{y:.2f}%" y2="{y:.2f}%" {style}/>'
    x = across.at(trace.x[at])
    return f'<line x1="{x}%" x2="{x}%" y1="{100 - up.at(ends[0]):.2f}%" y2="{100 - up.at(ends[1]):.2f}%" {style}/>'


def _labels(up: Scale, height: int) -> tuple[str, int]:
    """What stands beside the axis upwards, and how many pixels it takes."""
    ticks = [(tick, _text(text).split("\n")) for tick, text in up.ticks()]
    longest = max((len(line) for _, lines in ticks for line in lines), default=0)
    gutter = int(min(_MOST_LABEL_PX, 14 + _CHARACTER_PX * longest))
    texts = []
    for tick, lines in ticks:
        y = height - up.at(tick) * height / 100 + 4 - 7 * (len(lines) - 1)
        texts += [
            f'<text x="{gutter - 8}" y="{y + 14 * line:.1f}" text-anchor="end">{shown(text)}</text>'
            for line, text in enumerate(lines)
        ]
    return f'<svg width="{gutter}" height="{height}" aria-hidden="true">{"".join(texts)}</svg>', gutter


def _below(across: Scale) -> str:
    ticks = across.ticks()
    # Words that would run into each other on a phone stand on two levels.
    crowded = sum(len(_text(text)) + 2 for _, text in ticks) * _CHARACTER_PX > 260
    texts = "".join(
        f'<text x="{across.at(tick)}%" y="{15 + 15 * (crowded and at % 2)}" '
        f'text-anchor="{_anchor(across.at(tick))}">{shown(_text(text))}</text>'
        for at, (tick, text) in enumerate(ticks)
    )
    return f'<svg width="100%" height="{36 if crowded else 20}" aria-hidden="true">{texts}</svg>'


def _anchor(place: float) -> str:
    return "start" if place < 2 else "end" if place > 98 else "middle"


def _key(figure: go.Figure) -> str:
    """The names of series, beside the mark or line of each."""
    if figure.layout.showlegend is False:
        return ""
    named = [trace for trace in figure.data if trace.name and trace.showlegend is not False and trace.type == "scatter"]
    if not named or (len(named) == 1 and named[0].showlegend is None):
        return ""
    return f'<ul class="key">{"".join(f"<li>{_sample(trace)} {shown(_text(trace.name))}</li>" for trace in named)}</ul>'


def _colours(figure: go.Figure) -> str:
    """What the colours of a heatmap or of lines mean, where they have a title."""
    for trace in figure.data:
        of = trace if trace.type == "heatmap" else trace.marker
        if (title := of.colorbar.title.text) and of.colorscale:
            low, high = (of.zmin, of.zmax) if trace.type == "heatmap" else (of.cmin, of.cmax)
            stops = [colour for _, colour in of.colorscale]
            bar = f"linear-gradient(to right, {', '.join(reversed(stops) if of.reversescale else stops)})"
            strip = f'<span style="display: inline-block; width: 9rem; height: .7em; background: {bar}"></span>'
            ends = show_number(low, ".4g"), show_number(high, ".4g")
            return f'<div class="quiet">{shown(_text(title))} {ends[0]} {strip} {ends[1]}</div>'
    return ""


def _sample(trace: Any) -> str:
    parts = []
    if "lines" in str(trace.mode):
        style: Mapping[str, Any] = {"stroke": trace.line.color, "stroke-width": trace.line.width or 2}
        told = " ".join(f'{name}="{value}"' for name, value in style.items())
        parts.append(f'<line x2="24" y1="8" y2="8" {told} {DASHES.get(trace.line.dash, "")}/>')
    if "markers" in str(trace.mode) and len(trace.x):
        parts.append(mark(trace, 0, 50, 50, hovered=False))
    return f'<svg width="26" height="16" style="display: inline" aria-hidden="true">{"".join(parts)}</svg>'
