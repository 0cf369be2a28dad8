"""Figures from plain data: effects with intervals and every replicate's point, learning curves with replicate bands.

Import this module by name: plotly is no part of what `paribus.analysis` needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from paribus.analysis.contrasts import Contrast

# Okabe and Ito (2008): told apart by colour-blind readers too.
PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
_DASHES: Final = ("solid", "dash", "dot", "dashdot")
_COLOURS: Final[Mapping[str, str]] = {
    "better": "#009E73",
    "worse": "#D55E00",
    "equivalent": "#0072B2",
    "unresolved": "#7A7A7A",
}
_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "diverged": ("x", "diverged"),
    "dead": ("triangle-down", "dead"),
    "stopped": ("line-ns-open", "stopped by a scheduler (censored)"),
    "failed": ("square-open", "failed without a result"),
}
_BAND: Final = "rgba(0, 114, 178, 0.10)"


def effects_figure(contrasts: Sequence[Contrast], exploratory: bool = False) -> go.Figure:
    """Deltas of one metric, arm minus baseline: mean with its interval, the simultaneous one thinner, every replicate.

    The margin is a band around 0. Replicates without a delta because a side diverged or died are crosses at the left
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
    against = baselines.pop() if len(baselines) == 1 else "the baseline of each stratum"
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
    verdict = f"<br><b>{contrast.verdict}</b>" if contrast.verdict else ""
    return f"{contrast.arm.name}{verdict} (n = {contrast.n})"


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
        showlegend=_first("replicate", shown),
    )


def _draw_failures(figure: go.Figure, contrast: Contrast, edge: float, shown: set[str]) -> None:
    stability = contrast.stability
    if not stability.any_failed:
        return
    failures = stability.n - stability.neither_failed
    text = (
        f"{failures} of {stability.n} pairs have no delta: arm alone failed in {stability.arm_failed_alone}, "
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
        name="pairs that diverged or died",
        legendgroup="failed",
        showlegend=_first("failed", shown),
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
                showlegend=_first(name, shown),
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
        showlegend=_first("mean", shown),
    )


def _first(name: str, shown: set[str]) -> bool:
    new = name not in shown
    shown.add(name)
    return new


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One replicate of one arm: `y` against `x` (epochs or steps), and how the trial ended ("running" if it hasn't)."""

    arm: str
    replicate: int
    x: Sequence[float]
    y: Sequence[float]
    outcome: str = "finished"


def learning_curves_figure(curves: Sequence[Curve], y_label: str, x_label: str = "epoch") -> go.Figure:
    """Learning curves: per arm a mean over replicates, a band from the lowest to the highest, and every replicate thin.

    Mean and band are over trials that train or finished, at each x with all of those that got so far; trials that
    diverged, died or were stopped are drawn up to their last point, marked there, and are in no mean.
    """
    figure = go.Figure()
    arms = list(dict.fromkeys(curve.arm for curve in curves))
    shown: set[str] = set()
    for index, arm in enumerate(arms):
        colour, dash = PALETTE[index % len(PALETTE)], _DASHES[index // len(PALETTE) % len(_DASHES)]
        own = [curve for curve in curves if curve.arm == arm]
        _draw_band(figure, arm, [curve for curve in own if curve.outcome not in _MARKS], colour, dash)
        for curve in own:
            _draw_curve(figure, curve, colour, shown)
    figure.update_layout(
        title="Learning curves: mean, lowest to highest replicate" if curves else "No curves yet",
        xaxis_title=x_label,
        yaxis_title=y_label,
        template="plotly_white",
        hovermode="closest",
        legend={"orientation": "h", "yanchor": "top", "y": -0.18, "x": 0},
        margin={"l": 10, "r": 10, "t": 60, "b": 60},
    )
    return figure


def _draw_band(figure: go.Figure, arm: str, curves: Sequence[Curve], colour: str, dash: str) -> None:
    x, low, mean, high = _band(curves)
    if not x.size:
        # Every replicate failed or was cut: the legend still names the arm and its colour.
        figure.add_scatter(
            x=[None], y=[None], mode="lines", line={"color": colour}, name=f"{arm} (none finished)", legendgroup=arm
        )
        return
    if len(curves) > 1:
        figure.add_scatter(
            x=np.concatenate([x, x[::-1]]).tolist(),
            y=np.concatenate([high, low[::-1]]).tolist(),
            fill="toself",
            fillcolor=colour,
            opacity=0.15,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=arm,
        )
    figure.add_scatter(
        x=x.tolist(),
        y=mean.tolist(),
        mode="lines",
        line={"color": colour, "width": 3, "dash": dash},
        name=f"{arm} (n = {len(curves)})",
        legendgroup=arm,
    )


def _band(curves: Sequence[Curve]) -> tuple[NDArray[np.float64], ...]:
    """Sorted x, and the lowest, mean and highest y of the curves that have a finite value there."""
    by_x: dict[float, list[float]] = {}
    for curve in curves:
        for x, y in zip(curve.x, curve.y, strict=True):
            if np.isfinite(y):
                by_x.setdefault(float(x), []).append(float(y))
    columns = [(x, min(ys), sum(ys) / len(ys), max(ys)) for x, ys in sorted(by_x.items())]
    return tuple(np.array(columns, dtype=np.float64).reshape(-1, 4).T)


def _draw_curve(figure: go.Figure, curve: Curve, colour: str, shown: set[str]) -> None:
    figure.add_scatter(
        x=list(curve.x),
        y=list(curve.y),
        mode="lines",
        line={"color": colour, "width": 1},
        opacity=0.45,
        showlegend=False,
        legendgroup=curve.arm,
        hovertemplate=f"{curve.arm} · r{curve.replicate} ({curve.outcome}): %{{y:.4g}} at %{{x}}<extra></extra>",
    )
    seen = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if np.isfinite(y)]
    if curve.outcome in _MARKS and seen:
        symbol, name = _MARKS[curve.outcome]
        figure.add_scatter(
            x=[seen[-1][0]],
            y=[seen[-1][1]],
            mode="markers",
            marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
            name=name,
            legendgroup=name,
            showlegend=_first(name, shown),
            hovertemplate=f"{curve.arm} · r{curve.replicate}: {name}<extra></extra>",
        )
