"""Learning curves as a picture in SVG, which needs no script and is as wide as its page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from paribus.report.drawing.figures.axis import Axis
from paribus.report.drawing.html_parts import shown
from paribus.report.views.curves import Curve

# Okabe and Ito (2008), two of them darker so that lines of 2 pixels are seen on white and on black.
_COLOURS = ("#0072B2", "#D07F00", "#009E73", "#CC79A7", "#3D9BD0", "#D55E00", "#8A8A00", "#808080")
_DASHES = ("", "6 3", "2 3", "8 3 2 3")
_HEIGHT, _BOX = 300, 1000
# More single lines than these hide each other: then bands and means are drawn alone.
_MOST_SINGLE = 60
_IN_MEANS = ("finished", "running", "interrupted")


def curve_lines(curves: Sequence[Curve], y_label: str, x_label: str) -> str:
    """Per arm the mean of the replicates that train, a band from the lowest to the highest, and each replicate thin.

    What failed to train or was stopped is drawn to its last point, marked by × there, and is in no mean. "" without
    any curve.
    """
    arms = list(dict.fromkeys(curve.arm for curve in curves))
    training = [curve for curve in curves if curve.outcome in _IN_MEANS] or list(curves)
    if not any(math.isfinite(y) for curve in curves for y in curve.y):
        return ""
    across = Axis(0.0, max(x for curve in curves for x in curve.x) or 1.0)
    up = Axis.over(y for curve in training for y in curve.y)
    grid = set(max(curves, key=lambda curve: len(curve.x)).x)
    lines, marks, names = [], [], []
    for number, arm in enumerate(arms):
        style = _COLOURS[number % len(_COLOURS)], _DASHES[number // len(_COLOURS) % len(_DASHES)]
        own = [curve for curve in curves if curve.arm == arm]
        mean = _band([curve for curve in own if curve.outcome in _IN_MEANS], grid)
        lines.append(_drawn(mean, own if len(curves) <= _MOST_SINGLE else [], style, across, up))
        marks += [_end(curve, style[0], across, up) for curve in own if curve.outcome not in _IN_MEANS]
        names.append(_named(arm, sum(curve.outcome in _IN_MEANS for curve in own), style))
    picture = (
        f'<svg width="100%" height="{_HEIGHT + 30}" role="img" aria-label="{shown(f"Learning curves: {y_label}")}">'
        f"{_frame(across, up)}"
        f'<svg class="plot" width="100%" height="{_HEIGHT}" viewBox="0 0 {_BOX} {_BOX}" preserveAspectRatio="none">'
        f"{''.join(lines)}</svg>{''.join(marks)}</svg>"
    )
    caption = shown(
        f"{y_label} over {x_label}: the mean of each arm's replicates, their lowest to highest; × marks the end of one "
        "that failed to train or was stopped, and is in no mean."
    )
    return (
        f'<figure id="curves" class="whole"><ul class="key">{"".join(names)}</ul>{picture}'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def curve_rows(curves: Sequence[Curve]) -> list[dict[str, object]]:
    """What the picture shows as rows: every point where there are single lines, else each arm's band and mean."""
    if len(curves) <= _MOST_SINGLE:
        return [
            {"arm": each.arm, "replicate": each.replicate, "outcome": each.outcome, "x": x, "y": y}
            for each in curves
            for x, y in zip(each.x, each.y, strict=True)
        ]
    grid = set(max(curves, key=lambda curve: len(curve.x)).x)
    return [
        {"arm": arm, "x": x, "lowest": low, "mean": mean, "highest": high}
        for arm in dict.fromkeys(curve.arm for curve in curves)
        for x, low, mean, high in _band(
            [each for each in curves if each.arm == arm and each.outcome in _IN_MEANS], grid
        )
    ]


def _band(curves: Sequence[Curve], grid: set[float]) -> list[tuple[float, float, float, float]]:
    """x with the lowest, the mean and the highest of the curves there, at the x of the grid."""
    at: dict[float, list[float]] = {}
    for curve in curves:
        for x, y in zip(curve.x, curve.y, strict=True):
            if x in grid and math.isfinite(y):
                at.setdefault(x, []).append(y)
    return [(x, min(ys), sum(ys) / len(ys), max(ys)) for x, ys in sorted(at.items())]


def _drawn(
    band: Sequence[tuple[float, float, float, float]],
    single: Sequence[Curve],
    style: tuple[str, str],
    across: Axis,
    up: Axis,
) -> str:
    colour, dashes = style
    there = [(x, low) for x, low, _, _ in band] + [(x, high) for x, _, _, high in reversed(band)]
    parts = [f'<polygon points="{_points(there, across, up)}" fill="{colour}" opacity=".15"/>'] if band else []
    parts += [
        _polyline([*zip(curve.x, curve.y, strict=True)], across, up, f'stroke="{colour}" opacity=".5"')
        for curve in single
    ]
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    mean = [(x, middle) for x, _, middle, _ in band]
    return "".join([*parts, _polyline(mean, across, up, f'stroke="{colour}" stroke-width="2.5"{dash}')])


def _polyline(points: Sequence[tuple[float, float]], across: Axis, up: Axis, style: str) -> str:
    finite = [(x, y) for x, y in points if math.isfinite(y)]
    if not finite:
        return ""
    return f'<polyline points="{_points(finite, across, up)}" fill="none" {style} vector-effect="non-scaling-stroke"/>'


def _points(points: Sequence[tuple[float, float]], across: Axis, up: Axis) -> str:
    return " ".join(f"{across.at(x, _BOX):.0f},{_BOX - up.at(y, _BOX):.0f}" for x, y in points)


def _end(curve: Curve, colour: str, across: Axis, up: Axis) -> str:
    seen = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if math.isfinite(y)]
    if not seen:
        return ""
    x, y = across.at(seen[-1][0]), min(max(100 - up.at(seen[-1][1]), 0.0), 100.0) * _HEIGHT / 100
    name = shown(f"{curve.arm} · r{curve.replicate}: {curve.outcome}")
    return (
        f'<text x="{x}%" y="{y + 4:.1f}" text-anchor="middle" style="fill: {colour}; font-weight: bold">×'
        f"<title>{name}</title></text>"
    )


def _frame(across: Axis, up: Axis) -> str:
    rules = "".join(
        f'<line x2="100%" y1="{_down(tick, up)}" y2="{_down(tick, up)}" stroke="var(--line)"/>'
        f'<text y="{_down(tick, up) - 3:.1f}">{shown(f"{tick:g}")}</text>'
        for tick in up.ticks()
    )
    below = "".join(
        f'<text x="{across.at(tick)}%" y="{_HEIGHT + 18}" text-anchor="{_anchor(across.at(tick))}">{tick:g}</text>'
        for tick in across.ticks()
    )
    return rules + below


def _down(value: float, up: Axis) -> float:
    return round((100 - up.at(value)) * _HEIGHT / 100, 1)


def _anchor(place: float) -> str:
    """Labels at the edges stay inside of the page."""
    return "start" if place < 2 else "end" if place > 98 else "middle"


def _named(arm: str, num: int, style: tuple[str, str]) -> str:
    colour, dashes = style
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    line = f'<line x2="24" y1="8" y2="8" stroke="{colour}" stroke-width="2.5"{dash}/>'
    picture = f'<svg width="26" height="16" style="display: inline" aria-hidden="true">{line}</svg>'
    return f"<li>{picture} {shown(arm)} (n = {num})</li>"
