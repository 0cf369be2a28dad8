"""Figures of a search: how it came on, which settings did well, each field by itself, and who was cut where.

Every value is of one run on held-out data. Import this module by name, as `plots`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from paribus.engine.searches.tried import Tried
from paribus.engine.searches.tuning import ArmTuning
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
_COLUMNS = 3
_NOT_ASKED = "not asked"
_MOST_LINES = 500


def history_figure(report: SearchReport) -> go.Figure:
    """Each setting's value in the order of the search, and the best so far; what has no value is at the worse edge."""
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
    values = [each.metrics[search.metric] for each in whole]
    low, high = _range(report)
    shown = [min(max(value, low), high) for value in values]
    names = search.domains.names()
    dimensions = [
        _dimension(names[path], domain, [each.levels.get(path) for each in whole]) for path, domain in search.domains
    ]
    dimensions.append(
        {
            "label": search.primary.short,
            "values": shown,
            "range": [min(shown), max(shown)] if min(shown) < max(shown) else [low, high],
        }
    )
    figure = go.Figure(
        go.Parcoords(
            line={
                "color": shown,
                "colorscale": "Viridis",
                "reversescale": search.primary.sign < 0,
                "showscale": True,
                "colorbar": {"title": search.primary.short, "thickness": 12},
            },
            dimensions=dimensions,
            labelfont={"size": 13},
        )
    )
    _lay_out(figure, "Parallel coordinates of the settings that were trained to their end", 380)
    return figure.update_layout(margin={"l": 70, "r": 40, "t": 70, "b": 30})


def slices_figure(report: SearchReport) -> go.Figure:
    """One plot per field: its level and the setting's value, over all else that varied with it."""
    search = report.search
    names = search.domains.names()
    count = len(names)
    columns = min(_COLUMNS, count)
    rows = math.ceil(count / columns)
    figure = make_subplots(rows=rows, cols=columns, shared_yaxes=True, vertical_spacing=0.28 / rows)
    low, high = _range(report)
    edge = low if search.primary.sign > 0 else high
    for at, (path, domain) in enumerate(search.domains):
        place = {"row": at // columns + 1, "col": at % columns + 1}
        for group, everything in _grouped(report).items():
            own = [each for each in everything if path in each.levels]
            figure.add_scatter(
                x=[_axis_value(domain, each.levels[path]) for each in own],
                y=[_inside(value_of(each, search), low, high, edge) for each in own],
                **{**_points(group, own, report), "showlegend": at == 0},
                **place,
            )
        axis: dict[str, Any] = {"type": "log", "tickformat": "~g"} if _is_log(domain) else {}
        if isinstance(domain, Choice):
            axis = {"type": "category", "categoryarray": [label(level) for level in domain.options]}
        figure.update_xaxes(title=as_plotly(names[path]), **axis, **place)
        figure.update_yaxes(range=_padded(low, high), title=_held_out(report) if place["col"] == 1 else None, **place)
    _lay_out(figure, "Each field by itself", 90 + 290 * rows)
    return figure


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
    found: dict[str, list[Tried]] = {group: [] for group in GROUPS}
    for each in report.tried:
        found[group_of(each, report.search)].append(each)
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


def _dimension(name: str, domain: Domain, levels: Sequence[Level]) -> dict[str, object]:
    """One axis of parallel coordinates; a setting that does not have the field is below its range."""
    if isinstance(domain, Choice):
        labels = [label(option) for option in domain.options]
        values = [
            -1 if level is None and None not in domain.options else labels.index(label(level)) for level in levels
        ]
        ticks, texts = list(range(len(labels))), labels
        below = -1.0
    else:
        ends = (math.log10(domain.low), math.log10(domain.high)) if domain.log else (domain.low, domain.high)
        below = ends[0] - 0.15 * (ends[1] - ends[0])
        values = [below if level is None else math.log10(level) if domain.log else level for level in levels]  # type: ignore[arg-type, misc]
        ticks = [ends[0] + share * (ends[1] - ends[0]) for share in (0, 0.25, 0.5, 0.75, 1)]  # type: ignore[misc]
        texts = [f"{10**tick if domain.log else tick:.2g}" for tick in ticks]
    lowest = ticks[0]
    if below in values:
        ticks, texts, lowest = [below, *ticks], [_NOT_ASKED, *texts], below  # type: ignore[list-item, assignment]
    return {"label": name, "values": values, "tickvals": ticks, "ticktext": texts, "range": [lowest, ticks[-1] or 0]}


def _lay_out(figure: go.Figure, title: str, height: int) -> None:
    figure.update_layout(
        title=title,
        template="plotly_white",
        height=height,
        hovermode="closest",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        margin={"l": 10, "r": 10, "t": 60, "b": 50},
    )
