"""Further figures of a search: which fields mattered, the two that did most, several objectives, who trained when.

Every value is of one run on held-out data. Import this module by name, as `plots`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from paribus.analysis.exploratory.importance import Importance
from paribus.report.drawing.figures.look import GOOD, MAIN, QUIET, as_plotly, lay_out, look_of
from paribus.report.drawing.search_tables import GROUPS, group_of
from paribus.report.drawing.tables import show_p
from paribus.report.numbers import with_interval
from paribus.report.searches.search_importance import IMPORTANCE_OF
from paribus.report.searches.search_report import SearchReport
from paribus.study.searches.bounds import COSTS
from paribus.study.searches.domains import Choice, Domain, label
from paribus.study.words import Level
from paribus.tracking.trials.record import Attempt

Floats = NDArray[np.float64]
_GRID: Final = 40
# Of a range: how far a setting is heard, and the weight below which nothing is drawn, for no setting is near.
_REACH, _LEAST = 0.12, 0.3
MIN_FOR_MAP: Final = 8
# The grid of an axis, its ticks and their texts, and how far a setting is heard along it.
_Axis = tuple[Floats, list[float], list[str], float]


def importance_figure(report: SearchReport, found: Importance) -> go.Figure | None:
    """Each field's importance with its interval, the highest on top; grey where chance makes as much. None: refused."""
    own = [each for each in found.fields if each.value is not None and each.interval is not None]
    if not own:
        return None
    names = report.search.domains.names()
    figure = go.Figure()
    for tells, name in ((True, "above chance (p < 0.05)"), (False, "as much comes about by chance")):
        group = [each for each in own if (each.p is not None and each.p < 0.05) == tells]
        if not group:
            continue
        colour, symbol = (MAIN, "circle") if tells else (QUIET, "circle-open")
        figure.add_scatter(
            x=[each.value for each in group],
            y=[as_plotly(names[each.path]) for each in group],
            mode="markers",
            marker={"color": colour, "size": 11, "symbol": symbol, "line": {"width": 2, "color": colour}},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [each.interval.high - (each.value or 0.0) for each in group if each.interval],
                "arrayminus": [(each.value or 0.0) - each.interval.low for each in group if each.interval],
                "color": colour,
                "thickness": 2,
            },
            name=name,
            text=[
                f"{as_plotly(each.path)}: {with_interval(each.value, each.interval, '.2f')}, n = {each.n}, "
                f"as much by chance in {show_p(each.p or 0.0)} of deals"
                for each in group
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    lay_out(figure, f"Importance by {found.method}", 150 + 42 * len(own))
    figure.update_xaxes(title=f"{IMPORTANCE_OF[found.method]}, 95 % interval", rangemode="tozero")
    order = [as_plotly(names[each.path]) for each in own]
    return figure.update_yaxes(categoryorder="array", categoryarray=order[::-1])


def map_figure(report: SearchReport, first: str, second: str) -> go.Figure | None:
    """Two fields of a search, by path, and the value over them: every setting as a point over what lies near it.

    The surface is a mean of the settings, weighed by a normal kernel, and blank where none is near. None below
    `MIN_FOR_MAP` settings that have both and were trained to their end.
    """
    search = report.search
    domains = (search.domains.domains[first], search.domains.domains[second])
    own = [each for each in report.preview.walk.ranked() if first in each.levels and second in each.levels]
    if len(own) < MIN_FOR_MAP:
        return None
    values = np.array([each.metrics[search.metric] for each in own])
    at = [
        _places(domain, [each.levels[path] for each in own])
        for domain, path in zip(domains, (first, second), strict=True)
    ]
    axes = [_axis(domain) for domain in domains]
    sign = search.primary.sign
    low, high = sorted((_worst(values, sign), sign * float((sign * values).max())))
    scale = {"colorscale": "Viridis", "reversescale": sign < 0}
    figure = go.Figure()
    figure.add_heatmap(
        x=axes[0][0],
        y=axes[1][0],
        z=_surface(at, values, axes),
        zmin=low,
        zmax=high,
        **scale,
        zsmooth="best" if not any(isinstance(domain, Choice) for domain in domains) else False,
        opacity=0.75,
        colorbar={"title": search.primary.short, "thickness": 12},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=at[0],
        y=at[1],
        mode="markers",
        marker={
            **scale,
            "cmin": low,
            "cmax": high,
            "color": values,
            "size": 9,
            "line": {"width": 1.5, "color": "white"},
        },
        text=[
            f"#{each.number}: {search.primary.show(value)}<br>{as_plotly(search.arm_of(each.levels).name)}"
            for each, value in zip(own, values, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    names = search.domains.names()
    lay_out(figure, f"{search.primary.label} over {as_plotly(names[first])} and {as_plotly(names[second])}", 420)
    for axis, path, (grid, ticks, texts, _) in zip(
        (figure.update_xaxes, figure.update_yaxes), (first, second), axes, strict=True
    ):
        axis(title=as_plotly(names[path]), tickvals=ticks, ticktext=texts, showgrid=False, range=_ends(grid))
    return figure


def front_figure(report: SearchReport, against: str) -> go.Figure:
    """The first objective against another one, every setting that was trained to its end, and the Pareto front."""
    search = report.search
    signs = dict(search.objectives)
    whole = report.preview.walk.ranked()
    front = {each.number for each in report.front}
    figure = go.Figure()
    for is_front, name in ((False, "other settings"), (True, "Pareto front")):
        own = sorted(
            (each for each in whole if (each.number in front) == is_front), key=lambda each: each.metrics[against]
        )
        colour = GOOD if is_front else QUIET
        figure.add_scatter(
            x=[each.metrics[against] for each in own],
            y=[each.metrics[search.metric] for each in own],
            mode="lines+markers" if is_front and len(signs) == 2 else "markers",
            line={"shape": "hv" if signs[against] < 0 else "vh", "color": colour, "width": 1.5},
            marker={"color": colour, "size": 11 if is_front else 8, "symbol": "diamond" if is_front else "circle-open"},
            name=name,
            text=[f"#{each.number} {as_plotly(search.arm_of(each.levels).name)}" for each in own],
            hovertemplate="%{text}: %{y:.4g} at %{x:.4~s}<extra></extra>",
        )
    metric = search.metrics.get(against)
    lay_out(figure, "Pareto front, one run of each setting", 400)
    figure.update_xaxes(title=metric.label if metric else f"{against} ({COSTS[against]})")
    return figure.update_yaxes(title=search.primary.label)


def timeline_figure(report: SearchReport, now_ms: int) -> go.Figure | None:
    """When each setting was trained: a bar an attempt, in minutes since the first; None where no times are known."""
    spans: dict[str, list[tuple[int, int, int]]] = {}
    for each in report.tried:
        record = report.preview.records.get(each.number)
        if record is None:
            continue
        told = [(one.started_ms, one.ended_ms) for one in record.attempts.values() if not _only_closes(one)]
        own = [
            (each.number, start, end or record.ended_ms or now_ms)
            for start, end in told or [(record.started_ms, record.ended_ms)]
            if start
        ]
        spans.setdefault(group_of(each, report.search), []).extend(own)
    begun = [start for own in spans.values() for _, start, _ in own]
    if not begun:
        return None
    first, figure = min(begun), go.Figure()
    for at, group in enumerate(group for group in GROUPS if spans.get(group)):
        x: list[float | None] = []
        y: list[int | None] = []
        for number, start, end in spans[group]:
            x += [(start - first) / 60_000, (max(end, start) - first) / 60_000, None]
            y += [number, number, None]
        colour, symbol = look_of(at)
        figure.add_scatter(
            x=x,
            y=y,
            mode="lines+markers",
            line={"color": colour, "width": 5},
            marker={"color": colour, "size": 6, "symbol": symbol},
            name=group,
            hovertemplate=f"#%{{y}} {group}: minute %{{x:.2f}}<extra></extra>",
        )
    lay_out(figure, "Who was trained when", min(900, 220 + 9 * len(report.tried)))
    figure.update_xaxes(title="minutes since the first began")
    return figure.update_yaxes(title="setting", autorange="reversed")


def _only_closes(attempt: Attempt) -> bool:
    """Whether the attempt trained nothing: a driver writes down so that a setting which waited at a rung was cut."""
    return attempt.outcome == "stopped" and attempt.ended_ms - attempt.started_ms < 1000


def _worst(values: Floats, sign: int) -> float:
    """The end of a colour scale: all values, unless a few are so bad that the others would be one colour."""
    turned = np.sort(sign * values)
    best, middle = float(turned[-1]), float(np.median(turned))
    end = max(float(turned[0]), best - 4 * (best - middle)) if best > middle else float(turned[0])
    return sign * end


def _places(domain: Domain, levels: Sequence[Level]) -> Floats:
    """Where levels lie on an axis: a choice's by its number, logarithms of a logarithmic range."""
    if isinstance(domain, Choice):
        labels = [label(option) for option in domain.options]
        return np.array([labels.index(label(level)) for level in levels], dtype=np.float64)
    numbers = np.array([float(str(level)) for level in levels])
    return np.log10(numbers) if domain.log else numbers


def _axis(domain: Domain) -> _Axis:
    """The axis of a domain. A choice has no order: its options hear nothing of each other."""
    if isinstance(domain, Choice):
        places = [float(at) for at in range(len(domain.options))]
        return np.array(places), places, [as_plotly(label(option)) for option in domain.options], 1e-3
    low, high = (float(end) for end in _places(domain, (domain.low, domain.high)))
    ticks = [low + share * (high - low) for share in (0, 0.25, 0.5, 0.75, 1)]
    texts = [f"{10**tick if domain.log else tick:.2g}" for tick in ticks]
    return np.linspace(low, high, _GRID), ticks, texts, _REACH * (high - low)


def _ends(grid: Floats) -> list[float]:
    """From where to where an axis goes: its cells are drawn around the points of the grid."""
    half = (float(grid[1] - grid[0]) if len(grid) > 1 else 1.0) / 2
    return [float(grid[0]) - half, float(grid[-1]) + half]


def _surface(at: Sequence[Floats], values: Floats, axes: Sequence[_Axis]) -> Floats:
    """(y, x) means of the values near each point of the grid; nan where the weight of what is near is too small."""
    weights = []
    for places, (grid, _, _, reach) in zip(at, axes, strict=True):
        weights.append(np.exp(-0.5 * ((grid[:, None] - places[None, :]) / reach) ** 2))
    weight = np.einsum("xn,yn->yx", *weights)
    means = np.einsum("xn,yn,n->yx", *weights, values) / np.maximum(weight, 1e-12)
    return np.asarray(np.where(weight >= _LEAST, means, np.nan))
