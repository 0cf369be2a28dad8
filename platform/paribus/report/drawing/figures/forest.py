"""The effects of a study as a picture in HTML and SVG, which needs no script and is as wide as its page.

Each contrast is a row of text and a strip whose marks stand at per cent of its width, so that text stays legible at
any width. Plotly's library takes 4.6 MB and most of a second before it draws; what hovering told stands in the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paribus.analysis.contrasts import Contrast
from paribus.analysis.statistics.intervals import Interval
from paribus.report.drawing.figures.axis import Axis
from paribus.report.drawing.html_parts import shown
from paribus.report.drawing.tables import NOISE_FLOOR, show_effect

_HEIGHT = 34
# The share of the width that is left free for marks of what failed.
_EDGE = 0.12


def forest(contrasts: Sequence[Contrast], mark: str = "", heads: Mapping[int, str] | None = None) -> str:
    """The contrasts of one metric, in their order: every pair's point, mean, interval and verdict; "" without any.

    `mark` is a word beside every verdict; `heads` are headings of groups, by the place of each group's first contrast.
    The margin is a band around 0. Pairs without a delta stand at the left edge, by whose training failed: × the arm's,
    + its baseline's, ∗ both.
    """
    if not contrasts:
        return ""
    failed = any(contrast.stability.any_failed for contrast in contrasts)
    axis = _axis_of(contrasts, _EDGE if failed else 0.0)
    named = heads or {}
    rows = "".join(f"{_head(named.get(place))}{_row(contrast, axis, mark)}" for place, contrast in enumerate(contrasts))
    axis_row = f'<div class="row"><span></span>{_axis(axis)}<span></span></div>'
    name = shown(f"Effects on {contrasts[0].metric.label} with intervals, one row an arm")
    caption = shown(_caption(contrasts[0], failed))
    return f'<figure id="effects" aria-label="{name}">{rows}{axis_row}<figcaption>{caption}</figcaption></figure>'


def point_rows(contrasts: Sequence[Contrast]) -> list[dict[str, object]]:
    """What the picture shows as rows: a pair a row, beside its contrast's mean and interval."""
    return [
        {
            "arm": each.arm.name,
            "baseline": each.baseline.name,
            "metric": each.metric.name,
            "pair": replicate,
            "delta": delta,
            "mean": each.mean,
            "low": each.interval.low if each.interval else "",
            "high": each.interval.high if each.interval else "",
            "verdict": each.verdict,
        }
        for each in contrasts
        for replicate, delta in zip(each.replicates, each.deltas, strict=True)
    ]


def _caption(first: Contrast, failed: bool) -> str:
    metric, margin = first.metric, first.margin
    better = "right" if metric.sign > 0 else "left"
    unit = f" ({metric.unit})" if metric.unit else ""
    band = f" The band is the margin of ±{margin:g} {metric.unit}." if margin else ""
    marks = (
        " At the left edge, pairs that have no difference, by whose training failed: × the arm's, + its baseline's, "
        "∗ both."
    )
    return (
        f"{metric.label}, arm minus baseline{unit}; {better} of 0 is better. Circles are pairs, the dot their mean, "
        f"the thick line its interval, the thin one that over all contrasts at once.{band}{marks if failed else ''}"
    )


def _head(title: str | None) -> str:
    return f'<div class="row head"><b>{shown(title)}</b></div>\n' if title else ""


def _axis_of(contrasts: Sequence[Contrast], edge: float) -> Axis:
    """Over all that has to have room, with a share `edge` of the width left free at the left."""
    ends = [
        end for each in contrasts for one in (each.interval, each.simultaneous) if one for end in (one.low, one.high)
    ]
    margin = contrasts[0].margin or 0.0
    axis = Axis.over([0.0, margin, -margin, *ends, *(delta for each in contrasts for delta in each.deltas)])
    return Axis(axis.low - edge / (1 - edge) * (axis.high - axis.low), axis.high)


def _row(contrast: Contrast, axis: Axis, mark: str) -> str:
    word = contrast.verdict or (NOISE_FLOOR if contrast.arm.again else "-")
    numbers = f"{show_effect(contrast)}, n = {contrast.n}{_failures(contrast)}"
    kind = word.split(" ")[0].rstrip(",")
    name = f'{shown(contrast.arm.name)}<br><b class="{kind}">{shown(word + mark)}</b> '
    against = f'<span class="quiet">against {shown(contrast.baseline.name)}</span>'
    return (
        f'<div class="row"><div>{name}{against}</div>{_strip(contrast, axis, kind)}'
        f'<div class="number">{shown(numbers)}</div></div>\n'
    )


def _failures(contrast: Contrast) -> str:
    found = contrast.stability
    if not found.any_failed:
        return ""
    return f"; the arm failed to train in {found.arm_failed}, its baseline in {found.baseline_failed} of {found.n}"


def _strip(contrast: Contrast, axis: Axis, kind: str) -> str:
    parts = []
    if contrast.margin:
        left, right = axis.at(-contrast.margin), axis.at(contrast.margin)
        parts.append(f'<rect x="{left}%" width="{right - left:.2f}%" height="{_HEIGHT}" fill="var(--band)"/>')
    zero = axis.at(0.0)
    parts.append(f'<line x1="{zero}%" x2="{zero}%" y1="0" y2="{_HEIGHT}" stroke="var(--quiet)"/>')
    parts += [_line(one, axis, width) for one, width in ((contrast.simultaneous, 1), (contrast.interval, 4)) if one]
    # Over the interval, filled with the paper, so that each is seen on it.
    parts += [
        f'<circle cx="{axis.at(delta)}%" cy="17" r="3.5" fill="var(--paper)" stroke="currentColor"><title>'
        f"pair {replicate}: {shown(f'{delta:+.3g}')} {shown(contrast.metric.unit)}</title></circle>"
        for replicate, delta in zip(contrast.replicates, contrast.deltas, strict=True)
    ]
    if contrast.n:
        place = axis.at(contrast.mean)
        parts.append(f'<circle cx="{place}%" cy="17" r="5.5" fill="currentColor" stroke="var(--paper)"/>')
    label = shown(f"{contrast.arm.name}: {show_effect(contrast)}{_failures(contrast)}")
    inside = "".join([*parts, _deaths(contrast)])
    return f'<svg class="{kind}" width="100%" height="{_HEIGHT}" role="img" aria-label="{label}">{inside}</svg>'


def _deaths(contrast: Contrast) -> str:
    """How many pairs have no difference, by whose training failed, at the left edge: `×3 +1`."""
    found = contrast.stability
    counts = (("×", found.arm_failed_alone), ("+", found.baseline_failed_alone), ("∗", found.both_failed))
    text = " ".join(f"{sign}{count}" for sign, count in counts if count)
    told = (
        f"of {found.n} pairs the arm alone failed to train in {found.arm_failed_alone}, its baseline alone in "
        f"{found.baseline_failed_alone}, both in {found.both_failed}"
    )
    return f'<text x="0" y="21">{text}<title>{shown(told)}</title></text>' if text else ""


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
