"""Figures of a search: how it came on, which settings did well, each field by itself, and who was cut where.

Every value is of one run on held-out data. Import this module by name, as `plots`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from paribus.engine.searches.tried import Tried
from paribus.engine.searches.tuning import ArmTuning
from paribus.metrics.metric import Metric
from paribus.report.drawing.figures.look import BAD, COLOURS, QUIET, as_plotly, look_of
from paribus.report.drawing.search_tables import GROUPS, group_of, value_of
from paribus.report.searches.search_report import SearchReport
from paribus.study.searches.domains import Choice, Domain, label
from paribus.study.searches.population import is_population
from paribus.study.words import Level

# Each group has a shape of its own too.
_LOOKS: Final[Mapping[str, tuple[str, str]]] = {
    "finished": (COLOURS[0], "circle"),
    "cut": (COLOURS[1], "line-ew-open"),
    "generation done": (COLOURS[1], "line-ew-open"),
    "under way": (QUIET, "circle-open"),
    "did not train": (BAD, "x"),
    "no result": (COLOURS[3], "square-open"),
}
# Which value stands for a setting that has no final one.
_VALUES: Final[Mapping[str, str]] = {
    "finished": "",
    "cut": "(as last seen)",
    "generation done": "(as last seen)",
    "under way": "(as last seen)",
    "did not train": "(no value)",
    "no result": "(no value)",
}
_NOT_ASKED, _BELOW = "not asked", -0.15
_MOST_LINES = 500
# From the worst to the best: each colour has 3:1 on a light page and on a dark one, which no end of Viridis has.
_SCALE: Final = ((0.0, "#5678b0"), (0.5, "#8a7296"), (1.0, "#d55e00"))


def history_figure(report: SearchReport) -> go.Figure | None:
    """Each setting's value in the order of the search, and the best so far; None as long as none has a value or failed.

    What ended without a value is at the worse edge.
    """
    if not _grouped(report):
        return None
    low, high = _range(report)
    figure = go.Figure()
    edge = low if report.search.primary.sign > 0 else high
    for group, own in _grouped(report).items():
        figure.add_scatter(
            x=[each.number for each in own],
            y=[_inside(value_of(each, report.search), low, high, edge) for each in own],
            **_points(group, own, report),
        )
    if curve := report.history():
        figure.add_scatter(
            x=[number for number, _ in curve],
            y=[value for _, value in curve],
            mode="lines",
            line={"shape": "hv", "color": "#009E73", "width": 2},
            name="best so far",
            hovertemplate="best after #%{x}: %{y:.4g}<extra></extra>",
        )
    _lay_out(figure, "Every setting, and the best so far", 380)
    figure.update_xaxes(title="setting, in the order of the search")
    figure.update_yaxes(title=_held_out(report), range=_padded(low, high))
    return figure


def parallel_figure(report: SearchReport) -> go.Figure | None:
    """Every setting that was trained to its end as a line through its levels; None with fewer than two."""
    search = report.search
    whole = report.preview.walk.ranked()[:_MOST_LINES]
    if len(whole) < 2:
        return None
    low, high = _range(report)
    values = [min(max(each.metrics[search.metric], low), high) for each in whole]
    least, most = min(values), max(values)
    shares = [(value - least) / ((most - least) or 1.0) for value in values]
    names = search.domains.names()
    axes = [
        (as_plotly(names[path]), *_parallel_axis(domain, [each.levels.get(path) for each in whole]))
        for path, domain in search.domains
    ]
    ends = [(0.0, search.primary.show(least)), (1.0, search.primary.show(most))]
    axes.append((as_plotly(search.primary.short), shares, ends))
    marks = _by_value(least, most, search.primary)
    figure = go.Figure()
    for at, share in reversed(list(enumerate(shares))):  # the best on top
        places = [axis[1][at] for axis in axes]
        colour = sample_colorscale([list(stop) for stop in _SCALE], [1 - share if search.primary.sign < 0 else share])[
            0
        ]
        figure.add_scatter(
            x=list(range(len(axes))),
            y=places,
            mode="lines",
            line={"color": colour, "width": 1.5},
            showlegend=False,
            name=f"#{whole[at].number}",
        )
    figure.add_scatter(
        x=[len(axes) - 1] * len(whole),
        y=shares,
        mode="markers",
        marker={**marks, "color": values, "size": 8},
        text=[_told(each, report) for each in whole],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    for place, (_, _, ticks) in enumerate(axes):
        figure.add_vline(x=place)
        figure.add_scatter(
            x=[place] * len(ticks), y=[tick for tick, _ in ticks], mode="text", text=[text for _, text in ticks]
        ).data[-1].showlegend = False
    _lay_out(figure, "Parallel coordinates of the settings that were trained to their end", 400)
    figure.update_xaxes(
        tickvals=list(range(len(axes))), ticktext=[name for name, *_ in axes], range=[-0.1, len(axes) - 0.65]
    )
    return figure.update_yaxes(range=[-0.2, 1.08], tickvals=[2.0], ticktext=[""])


def _by_value(low: float, high: float, metric: Metric) -> dict[str, Any]:
    """What makes marks take their colour from the metric, from blue to orange, the better the warmer."""
    return {
        "colorscale": [list(stop) for stop in _SCALE],
        "reversescale": metric.sign < 0,
        "cmin": low,
        "cmax": high,
        "colorbar": {"title": metric.short, "thickness": 12},
    }


def slice_figures(report: SearchReport) -> dict[str, go.Figure]:
    """By field, its level and each setting's value, over all else that varied with it; {} where there is no history."""
    if not _grouped(report):
        return {}
    search, names = report.search, report.search.domains.names()
    low, high = _range(report)
    edge = low if search.primary.sign > 0 else high
    found = {}
    for path, domain in search.domains:
        figure = go.Figure()
        for group, everything in _grouped(report).items():
            own = [each for each in everything if path in each.levels]
            figure.add_scatter(
                x=[_axis_value(domain, each.levels[path]) for each in own],
                y=[_inside(value_of(each, search), low, high, edge) for each in own],
                **_points(group, own, report),
            )
        axis: dict[str, Any] = {"type": "log", "tickformat": "~g"} if _is_log(domain) else {}
        if isinstance(domain, Choice):
            axis = {"type": "category", "categoryarray": [label(level) for level in domain.options]}
        _lay_out(figure, as_plotly(names[path]), 320)
        figure.update_xaxes(**axis)
        found[path] = figure.update_yaxes(range=_padded(low, high), title=_held_out(report))
    return found


def rungs_figure(report: SearchReport) -> go.Figure | None:
    """Each setting's value by epoch, up to where it was cut or ended; None where nothing is cut."""
    walk = report.preview.walk
    seen = [each for each in report.tried if each.seen]
    if walk.scheduler.name == "none" or not seen:
        return None
    figure, (low, high) = go.Figure(), _range(report)
    for group, own in _grouped(report).items():
        for at, each in enumerate(one for one in own if one.seen):
            epochs = sorted(each.seen)
            colour, mark = _LOOKS[group]
            figure.add_scatter(
                x=epochs,
                y=[min(max(each.seen[epoch], low), high) for epoch in epochs],
                mode="lines+markers",
                line={"color": colour, "width": 1.5},
                opacity=0.75,
                marker={"symbol": [*["circle"] * (len(epochs) - 1), mark], "size": [*[3] * (len(epochs) - 1), 9]},
                name=group,
                legendgroup=group,
                showlegend=at == 0,
                hovertemplate=f"{_told(each, report)}<br>epoch %{{x}}: %{{y:.4g}}<extra></extra>",
            )
    for rung in sorted({rung for each in seen for rung in walk.scheduler.rungs_of(each.number, walk.epochs)}):
        figure.add_vline(x=rung, line_dash="dot", line_width=1, line_color=QUIET)
    is_one = is_population(report.search.scheduler)
    _lay_out(figure, "Every trial to the end of its generation" if is_one else "Who was cut where", 380)
    figure.update_xaxes(title="epoch; dotted: rungs")
    figure.update_yaxes(title=_held_out(report))
    return figure


def tuning_figure(found: Sequence[ArmTuning]) -> go.Figure:
    """The tuning curve of each arm: the best value on held-out data by the number of settings tried."""
    figure = go.Figure()
    for at, each in enumerate(found):
        curve = each.history()
        figure.add_scatter(
            x=[number + 1 for number, _ in curve],
            y=[value for _, value in curve],
            mode="lines+markers",
            line={"shape": "hv", "color": look_of(at)[0]},
            name=as_plotly(each.arm.name),
        )
    _lay_out(figure, "Tuning curves", 340)
    figure.update_xaxes(title="settings tried")
    if found:
        metric = found[0].preview.search.primary
        figure.update_yaxes(title=f"best {metric.label} so far, held-out data")
    return figure


def _grouped(report: SearchReport) -> dict[str, list[Tried]]:
    """The settings by how they stand, without those under way of which nothing is seen yet: they have no place."""
    found: dict[str, list[Tried]] = {group: [] for group in GROUPS}
    for each in report.tried:
        group = group_of(each, report.search)
        if group != "under way" or value_of(each, report.search) is not None:
            found[group].append(each)
    return {group: own for group, own in found.items() if own}


def _points(group: str, own: Sequence[Tried], report: SearchReport) -> dict[str, object]:
    colour, mark = _LOOKS[group]
    return {
        "mode": "markers",
        "marker": {"color": colour, "symbol": mark, "size": 9, "line": {"width": 2, "color": colour}},
        "name": f"{group} {_VALUES[group]}".strip(),
        "legendgroup": group,
        "text": [_told(each, report) for each in own],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _told(each: Tried, report: SearchReport) -> str:
    value = value_of(each, report.search)
    shown = "no value" if value is None else report.search.primary.show(value)
    levels = as_plotly(report.search.arm_of(each.levels).name).replace(" · ", "<br>")
    return f"#{each.number} {group_of(each, report.search)}: {shown}<br>{levels}"


def _held_out(report: SearchReport) -> str:
    metric = report.search.primary
    return f"{metric.label} ({metric.of_level})" if metric.of_level else metric.label


def _range(report: SearchReport) -> tuple[float, float]:
    """What an axis shows: all values, unless a few are so bad that the others would be one line."""
    known = (value_of(each, report.search) for each in report.tried)
    values = sorted(value for value in known if value is not None and math.isfinite(value))
    if not values:
        return 0.0, 1.0
    low, high, middle = values[0], values[-1], values[len(values) // 2]
    if report.search.primary.sign > 0:
        low = max(low, high - 4 * (high - middle)) if high > middle else low
    else:
        high = min(high, low + 4 * (middle - low)) if middle > low else high
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _padded(low: float, high: float) -> list[float]:
    more = 0.06 * (high - low)
    return [low - more, high + more]


def _inside(value: float | None, low: float, high: float, edge: float) -> float:
    return edge if value is None or not math.isfinite(value) else min(max(value, low), high)


def _is_log(domain: Domain) -> bool:
    return not isinstance(domain, Choice) and domain.log


def _axis_value(domain: Domain, level: Level) -> object:
    return label(level) if isinstance(domain, Choice) else level


def _parallel_axis(domain: Domain, levels: Sequence[Level]) -> tuple[list[float], list[tuple[float, str]]]:
    """Where levels lie on an axis from 0 to 1, and what is marked; a setting without the field lies below."""
    if isinstance(domain, Choice):
        labels = [label(option) for option in domain.options]
        step = 1 / max(1, len(labels) - 1)
        ticks = [(at * step, as_plotly(text)) for at, text in enumerate(labels)]
        places = [
            _BELOW if level is None and None not in domain.options else labels.index(label(level)) * step
            for level in levels
        ]
    else:
        low, high = (math.log10(domain.low), math.log10(domain.high)) if domain.log else (domain.low, domain.high)
        ticks = []
        for share in (0, 0.25, 0.5, 0.75, 1):
            value = low + share * (high - low)
            ticks.append((float(share), f"{10**value if domain.log else value:.2g}"))
        numbers = [None if level is None else float(str(level)) for level in levels]
        places = [
            _BELOW if one is None else ((math.log10(one) if domain.log else one) - low) / ((high - low) or 1.0)
            for one in numbers
        ]
    return places, [(_BELOW, _NOT_ASKED), *ticks] if _BELOW in places else ticks


def _lay_out(figure: go.Figure, title: str, height: int) -> None:
    figure.update_layout(
        title=title,
        template="plotly_white",
        height=height,
        hovermode="closest",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        margin={"l": 10, "r": 10, "t": 60, "b": 50},
    )
