"""Figures from plain data: effects with intervals and every replicate's point, learning curves with replicate bands.

Import this module by name: plotly is no part of what `paribus.analysis` needs.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import plotly.graph_objects as go

from paribus.analysis.contrasts import Contrast
from paribus.report.drawing.figures.learning_curves import PALETTE, as_plotly, is_first, learning_curves_figure
from paribus.report.drawing.tables import NOISE_FLOOR
from paribus.report.views.curves import Curve

__all__ = ["PALETTE", "Curve", "effects_figure", "learning_curves_figure"]

# Of the palette of Okabe and Ito, which colour-blind readers tell apart too.
_COLOURS: Final[Mapping[str, str]] = {
    "better": "#009E73",
    "worse": "#D55E00",
    "equivalent": "#0072B2",
    "unresolved": "#7A7A7A",
    "no": "#7A7A7A",
    "same": "#CC79A7",
}
_BAND: Final = "rgba(0, 114, 178, 0.10)"


def effects_figure(contrasts: Sequence[Contrast], exploratory: bool = False) -> go.Figure:
    """Deltas of one metric, arm minus baseline: mean with its interval, the simultaneous one thinner, every replicate.

    The margin is a band around 0. Replicates without a delta because a side failed to train are crosses at the left
    edge. Raises ValueError for contrasts of several metrics.
    """
    metrics = {contrast.metric.name for contrast in contrasts}
    if len(metrics) > 1:
        raise ValueError(f"one figure shows one metric, not {sorted(metrics)}: filter the contrasts first")
    figure = go.Figure()
    if not contrasts:
        return figure.update_layout(title="No contrasts yet", template="plotly_white")
    metric, margin = contrasts[0].metric, contrasts[0].margin
    _draw_margin(figure, margin, metric.unit)
    edge = _left_edge(contrasts)
    shown: set[str] = set()
    for contrast in contrasts:
        _draw_intervals(figure, contrast, shown)
        _draw_replicates(figure, contrast, shown)
        _draw_mean(figure, contrast, shown)
        _draw_failures(figure, contrast, edge, shown)
    direction = "right is better" if metric.sign > 0 else "left is better"
    baselines = {contrast.baseline.name for contrast in contrasts}
    against = as_plotly(baselines.pop()) if len(baselines) == 1 else "the baseline of each stratum"
    figure.update_layout(
        title=f"Effects against {against}" + (" (exploratory)" if exploratory else ""),
        xaxis_title=f"{metric.label}, arm minus baseline ({metric.unit}; {direction})",
        template="plotly_white",
        height=170 + 64 * len(contrasts),
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        margin={"l": 10, "r": 10, "t": 110, "b": 60},
    )
    figure.add_vline(x=0, line_width=1, line_color="#444444")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def _label(contrast: Contrast) -> str:
    word = contrast.verdict or (NOISE_FLOOR if contrast.arm.again else "")
    verdict = f"<br><b>{word}</b>" if word else ""
    return f"{as_plotly(contrast.arm.name)}{verdict} (n = {contrast.n})"


def _colour(contrast: Contrast) -> str:
    word = (contrast.verdict or "unresolved").split(" ")[0].rstrip(",")
    return _COLOURS[word]


def _draw_margin(figure: go.Figure, margin: float | None, unit: str) -> None:
    if margin is not None:
        figure.add_vrect(
            x0=-margin,
            x1=margin,
            fillcolor=_BAND,
            line_width=0,
            layer="below",
            name=f"margin ±{margin:g} {unit}",
            showlegend=True,
        )


def _left_edge(contrasts: Sequence[Contrast]) -> float:
    values = [delta for contrast in contrasts for delta in contrast.deltas]
    values += [c.simultaneous.low for c in contrasts if c.simultaneous]
    values += [-(contrasts[0].margin or 0.0), contrasts[0].margin or 0.0]
    return min(values) - 0.06 * (max(values) - min(values) or 1.0)


def _draw_replicates(figure: go.Figure, contrast: Contrast, shown: set[str]) -> None:
    figure.add_scatter(
        x=list(contrast.deltas),
        y=[_label(contrast)] * contrast.n,
        mode="markers",
        marker={"symbol": "circle-open", "size": 8, "color": _colour(contrast), "opacity": 0.75},
        customdata=list(contrast.replicates),
        hovertemplate=f"replicate %{{customdata}}: %{{x:.3g}} {contrast.metric.unit}<extra></extra>",
        name="one replicate",
        legendgroup="replicate",
        showlegend=is_first("replicate", shown),
    )


def _draw_failures(figure: go.Figure, contrast: Contrast, edge: float, shown: set[str]) -> None:
    stability = contrast.stability
    if not stability.any_failed:
        return
    failures = stability.n - stability.neither_failed
    text = (
        f"{failures} of {stability.n} pairs have no delta: arm alone failed to train in {stability.arm_failed_alone}, "
        f"baseline alone in {stability.baseline_failed_alone}, both in {stability.both_failed}"
    )
    figure.add_scatter(
        x=[edge],
        y=[_label(contrast)],
        mode="markers+text",
        marker={"symbol": "x", "size": 10, "color": "#D55E00"},
        text=[f"{failures}/{stability.n}"],
        textposition="top center",
        hovertemplate=f"{text}<extra></extra>",
        name="pairs that failed to train",
        legendgroup="failed",
        showlegend=is_first("failed", shown),
    )


def _draw_intervals(figure: go.Figure, contrast: Contrast, shown: set[str]) -> None:
    for name, interval, width in (
        ("simultaneous interval", contrast.simultaneous, 1.5),
        (f"{100 * contrast.interval.level:g} % interval" if contrast.interval else "", contrast.interval, 5),
    ):
        if interval is not None:
            figure.add_scatter(
                x=[interval.low, interval.high],
                y=[_label(contrast)] * 2,
                mode="lines",
                line={"color": _colour(contrast), "width": width},
                name=name,
                legendgroup=name,
                hovertemplate=f"{name}: %{{x:.3g}}<extra></extra>",
                showlegend=is_first(name, shown),
            )


def _draw_mean(figure: go.Figure, contrast: Contrast, shown: set[str]) -> None:
    figure.add_scatter(
        x=[contrast.mean] if contrast.n else [None],
        y=[_label(contrast)],
        mode="markers",
        marker={"symbol": "diamond", "size": 12, "color": _colour(contrast), "line": {"color": "white", "width": 1}},
        name="mean delta",
        legendgroup="mean",
        hovertemplate=f"mean of {contrast.n}: %{{x:.3g}} {contrast.metric.unit}<extra></extra>",
        showlegend=is_first("mean", shown),
    )
