"""The effects of a study as a picture in HTML and SVG, which needs no script and is as wide as its page.

Each contrast is a row of text and a strip whose marks stand at per cent of its width, so that text stays legible at
any width. Plotly's library takes 4.6 MB and most of a second before it draws; what hovering told stands in the row.
"""

from __future__ import annotations

from collections.abc import Sequence

from paribus.analysis.contrasts import Contrast
from paribus.analysis.statistics.intervals import Interval
from paribus.report.drawing.axis import Axis
from paribus.report.drawing.html_parts import shown
from paribus.report.drawing.tables import NOISE_FLOOR, show_effect

_HEIGHT = 34


def forest(contrasts: Sequence[Contrast], mark: str = "") -> str:
    """The contrasts of one metric, in their order: every pair's point, mean, interval and verdict; "" without any.

    `mark` is a word beside every verdict. The margin is a band around 0.
    """
    if not contrasts:
        return ""
    metric, margin = contrasts[0].metric, contrasts[0].margin
    axis = Axis.over(_values(contrasts))
    rows = "".join(_row(contrast, axis, margin, mark) for contrast in contrasts)
    better = "right" if metric.sign > 0 else "left"
    unit = f" ({metric.unit})" if metric.unit else ""
    band = f" The band is the margin of ±{margin:g} {metric.unit}." if margin else ""
    caption = (
        f"{metric.label}, arm minus baseline{unit}; {better} of 0 is better. Circles are pairs, the dot their mean, "
        f"the thick line its interval, the thin one that over all contrasts at once.{band}"
    )
    axis_row = f'<div class="row"><span></span>{_axis(axis)}<span></span></div>'
    name = shown(f"Effects on {metric.label} with intervals, one row an arm")
    return (
        f'<figure id="effects" aria-label="{name}">{rows}{axis_row}<figcaption>{shown(caption)}</figcaption></figure>'
    )


def _values(contrasts: Sequence[Contrast]) -> list[float]:
    """All that has to have room."""
    ends = [
        end for each in contrasts for one in (each.interval, each.simultaneous) if one for end in (one.low, one.high)
    ]
    margin = contrasts[0].margin or 0.0
    return [0.0, margin, -margin, *ends, *(delta for each in contrasts for delta in each.deltas)]


def _row(contrast: Contrast, axis: Axis, margin: float | None, mark: str) -> str:
    word = contrast.verdict or (NOISE_FLOOR if contrast.arm.again else "-")
    failures = contrast.stability
    failed = f"; {failures.arm_failed} vs {failures.baseline_failed} of {failures.n} failed to train"
    numbers = f"{show_effect(contrast)}, n = {contrast.n}{failed if failures.any_failed else ''}"
    kind = word.split(" ")[0].rstrip(",")
    name = f'{shown(contrast.arm.name)}<br><b class="{kind}">{shown(word + mark)}</b> '
    against = f'<span class="quiet">against {shown(contrast.baseline.name)}</span>'
    return (
        f'<div class="row"><div>{name}{against}</div>{_strip(contrast, axis, margin, kind)}'
        f'<div class="number">{shown(numbers)}</div></div>\n'
    )


def _strip(contrast: Contrast, axis: Axis, margin: float | None, kind: str) -> str:
    parts = []
    if margin:
        left, right = axis.at(-margin), axis.at(margin)
        parts.append(f'<rect x="{left}%" width="{right - left:.2f}%" height="{_HEIGHT}" fill="var(--band)"/>')
    zero = axis.at(0.0)
    parts.append(f'<line x1="{zero}%" x2="{zero}%" y1="0" y2="{_HEIGHT}" stroke="var(--quiet)"/>')
    parts += [
        f'<circle cx="{axis.at(delta)}%" cy="17" r="3.5" fill="none" stroke="currentColor" opacity=".7"><title>'
        f"pair {replicate}: {shown(f'{delta:+.3g}')} {shown(contrast.metric.unit)}</title></circle>"
        for replicate, delta in zip(contrast.replicates, contrast.deltas, strict=True)
    ]
    parts += [_line(one, axis, width) for one, width in ((contrast.simultaneous, 1), (contrast.interval, 4)) if one]
    if contrast.n:
        place = axis.at(contrast.mean)
        parts.append(f'<circle cx="{place}%" cy="17" r="5.5" fill="currentColor" stroke="var(--paper)"/>')
    label = shown(f"{contrast.arm.name}: {show_effect(contrast)}")
    inside = "".join(parts)
    return f'<svg class="{kind}" width="100%" height="{_HEIGHT}" role="img" aria-label="{label}">{inside}</svg>'


def _line(interval: Interval, axis: Axis, width: int) -> str:
    low, high = axis.at(interval.low), axis.at(interval.high)
    return f'<line x1="{low}%" x2="{high}%" y1="17" y2="17" stroke="currentColor" stroke-width="{width}"/>'


def _axis(axis: Axis) -> str:
    marks = "".join(
        f'<line x1="{axis.at(tick)}%" x2="{axis.at(tick)}%" y2="5" stroke="var(--quiet)"/>'
        f'<text x="{axis.at(tick)}%" y="18" text-anchor="middle">{shown(f"{tick:+g}" if tick else "0")}</text>'
        for tick in axis.ticks()
    )
    return f'<svg width="100%" height="22" aria-hidden="true">{marks}</svg>'
