"""Figures of factors over all arms: every effect with its interval, means by level, interactions.

Import this module by name, as `plots`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import plotly.graph_objects as go

from paribus.analysis.effects import Effect
from paribus.analysis.exploratory.cells import CellMean, cell_means
from paribus.analysis.study_analysis import StudyAnalysis
from paribus.report.drawing.figures.look import MAIN, QUIET, as_plotly, faded, lay_out, look_of, wrapped
from paribus.report.numbers import with_interval
from paribus.study.study import Study
from paribus.study.words import column_names, show_level

KINDS: Final[Mapping[str, str]] = {"main": "main effects", "interaction": "interactions", "trend": "trends"}


def factors_of(study: Study | None, analysis: StudyAnalysis) -> dict[str, str]:
    """The factors with more than one level that every arm has, short names by path; {} where there is none."""
    if study is None:
        return {}
    levels = {path: {each.arm.as_dict().get(path) for each in analysis.arms} for path in study.factors}
    paths = [path for path, own in levels.items() if len(own) > 1 and None not in own]
    return dict(zip(paths, column_names(paths), strict=True))


def effects_forest(analysis: StudyAnalysis, kind: str) -> go.Figure | None:
    """Every effect of a kind with its interval and each replicate's value; None where none has an interval."""
    own = [each for each in analysis.effects if each.kind == kind]
    if not any(each.interval for each in own):
        return None
    metric, figure = analysis.metric, go.Figure()
    names = [wrapped(f"{each.name} (n\u00a0=\u00a0{each.n})") for each in own]
    for name, each in zip(names, own, strict=True):
        colour = MAIN if each.p_holm < analysis.alpha else QUIET
        figure.add_scatter(
            x=list(each.values),
            y=[name] * each.n,
            mode="markers",
            marker={"symbol": "circle-open", "size": 7, "color": colour},
            customdata=list(each.replicates),
            hovertemplate=f"replicate %{{customdata}}: %{{x:.3g}} {metric.unit}<extra></extra>",
            showlegend=False,
        )
        if each.interval is not None:
            figure.add_scatter(
                x=[each.interval.low, each.interval.high],
                y=[name] * 2,
                mode="lines",
                line={"color": colour, "width": 5},
                hoverinfo="skip",
                showlegend=False,
            )
        figure.add_scatter(
            x=[each.mean] if each.n else [None],
            y=[name],
            mode="markers",
            marker={"symbol": "diamond", "size": 11, "color": colour},
            hovertemplate=f"{_told(each, metric.digits)}<extra></extra>",
            showlegend=False,
        )
    lay_out(figure, f"{KINDS[kind].capitalize()} with {100 * (1 - analysis.alpha):g} % intervals", 130 + 46 * len(own))
    figure.add_vline(x=0, line_width=1, line_color=QUIET)
    figure.update_xaxes(title=f"{metric.label} ({metric.unit})")
    return figure.update_yaxes(categoryorder="array", categoryarray=names[::-1])


def _told(effect: Effect, digits: int) -> str:
    return f"{as_plotly(effect.name)}: {with_interval(effect.mean, effect.interval, f'+.{digits}f')}, n = {effect.n}"


def levels_figure(
    study: Study, analysis: StudyAnalysis, paths: Sequence[str], names: Mapping[str, str]
) -> go.Figure | None:
    """The mean at each level of one factor, or of the first at each level of a second one, with intervals.

    Lines that run side by side are factors that add up. None where no background has all cells: see `cell_means`.
    """
    cells = cells_of(study, analysis, paths)
    if not any(cell.mean is not None for cell in cells):
        return None
    metric, figure = analysis.metric, go.Figure()
    order = [show_level(level) for level in dict.fromkeys(cell.levels[0] for cell in cells)]
    groups = list(dict.fromkeys(cell.levels[1:] for cell in cells))
    for at, group in enumerate(groups):
        own = [cell for cell in cells if cell.levels[1:] == group and cell.mean is not None]
        colour, symbol = look_of(at)
        # Side by side, so that no interval hides another.
        shift = 0.0 if len(groups) == 1 else 0.24 * (at / (len(groups) - 1) - 0.5)
        figure.add_scatter(
            x=[order.index(show_level(cell.levels[0])) + shift for cell in own],
            y=[cell.mean for cell in own],
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={"color": colour, "size": 9, "symbol": symbol},
            error_y=_bars(own, colour),
            name=as_plotly(f"{names[paths[1]]}={show_level(group[0])}") if group else as_plotly(names[paths[0]]),
            showlegend=bool(group),
            text=[_cell_told(cell, paths, names, metric.digits) for cell in own],
            hovertemplate="%{text}<extra></extra>",
        )
    over = " × ".join(as_plotly(names[path]) for path in paths)
    lay_out(figure, f"{metric.label} by {over}", 400)
    figure.update_xaxes(
        title=as_plotly(names[paths[0]]), tickvals=list(range(len(order))), ticktext=[as_plotly(text) for text in order]
    )
    return figure.update_yaxes(title=f"{metric.label} ({metric.of_level})".replace(" ()", ""))


def cells_of(study: Study, analysis: StudyAnalysis, paths: Sequence[str]) -> list[CellMean]:
    """The cells of these factors on the judged metric; a baseline that stands beside a factorial's grid is in none."""
    arms = [
        each
        for each in analysis.arms
        if study.design != "factorial"
        or all(each.arm.as_dict().get(path) in levels for path, levels in study.factors.items())
    ]
    return cell_means(arms, analysis.metric, paths, 1 - analysis.alpha, analysis.num_eval)


def cell_rows(
    study: Study, analysis: StudyAnalysis, paths: Sequence[str], names: Mapping[str, str]
) -> list[dict[str, str]]:
    """The same cells as rows for people; a cell without a mean has its failures still."""
    metric = analysis.metric
    return [
        {
            **{names[path]: show_level(level) for path, level in zip(paths, cell.levels, strict=True)},
            f"mean {metric.short} ({metric.of_level})".replace(" ()", ""): with_interval(
                cell.mean, cell.interval, f".{metric.digits}f"
            ),
            "n": str(cell.n),
            "backgrounds": str(cell.num_backgrounds),
            "failed to train": f"{cell.failed} of {cell.ended}",
        }
        for cell in cells_of(study, analysis, paths)
    ]


def _bars(cells: Sequence[CellMean], colour: str) -> dict[str, object]:
    high = [cell.interval.high - cell.mean if cell.interval and cell.mean is not None else 0.0 for cell in cells]
    low = [cell.mean - cell.interval.low if cell.interval and cell.mean is not None else 0.0 for cell in cells]
    return {
        "type": "data",
        "symmetric": False,
        "array": high,
        "arrayminus": low,
        "color": faded(colour, 0.8),
        "thickness": 2,
    }


def _cell_told(cell: CellMean, paths: Sequence[str], names: Mapping[str, str], digits: int) -> str:
    where = ", ".join(f"{names[path]}={show_level(level)}" for path, level in zip(paths, cell.levels, strict=True))
    failed = f"; {cell.failed} of {cell.ended} failed to train" if cell.failed else ""
    return f"{as_plotly(where)}: {with_interval(cell.mean, cell.interval, f'.{digits}f')}, n = {cell.n}{failed}"
