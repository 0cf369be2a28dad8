"""Learning curves with replicate bands, from plain data. Import `plots` beside it for all figures."""

import html
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from paribus.report.views.curves import Curve

# Okabe and Ito (2008): told apart by colour-blind readers too.
PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
_DASHES: Final = ("solid", "dash", "dot", "dashdot")
_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "diverged": ("x", "diverged"),
    "dead": ("triangle-down", "dead"),
    "stuck": ("diamond-open", "stuck at chance"),
    "stopped": ("line-ns-open", "stopped by a scheduler (censored)"),
    "failed": ("square-open", "failed without a result"),
    "interrupted": ("line-ns-open", "interrupted, to be resumed"),
}
# Cut off, but not by anything that it did: up to there an interrupted trial is one that trains.
_IN_MEANS = ("finished", "running", "interrupted")


def learning_curves_figure(curves: Sequence[Curve], y_label: str, x_label: str = "epoch") -> go.Figure:
    """Learning curves: per arm a mean over replicates, a band from the lowest to the highest, and every replicate thin.

    Mean and band are over trials that train, are to be resumed or finished, at each x with all of those that got so
    far; trials that diverged, died, are stuck at chance or were stopped are drawn to their last point, marked there,
    and in no mean.
    """
    figure = go.Figure()
    arms = list(dict.fromkeys(curve.arm for curve in curves))
    shown: set[str] = set()
    for index, arm in enumerate(arms):
        colour, dash = PALETTE[index % len(PALETTE)], _DASHES[index // len(PALETTE) % len(_DASHES)]
        own = [curve for curve in curves if curve.arm == arm]
        _draw_band(figure, arm, [curve for curve in own if curve.outcome in _IN_MEANS], colour, dash)
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
            x=[None],
            y=[None],
            mode="lines",
            line={"color": colour},
            name=f"{as_plotly(arm)} (none finished)",
            legendgroup=arm,
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
        name=f"{as_plotly(arm)} (n = {len(curves)})",
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
    name = f"{as_plotly(curve.arm)} · r{curve.replicate}"
    figure.add_scatter(
        x=list(curve.x),
        y=list(curve.y),
        mode="lines",
        line={"color": colour, "width": 1},
        opacity=0.45,
        showlegend=False,
        legendgroup=curve.arm,
        hovertemplate=f"{name} ({curve.outcome}): %{{y:.4g}} at %{{x}}<extra></extra>",
    )
    seen = [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if np.isfinite(y)]
    if curve.outcome in _MARKS and seen:
        symbol, mark = _MARKS[curve.outcome]
        figure.add_scatter(
            x=[seen[-1][0]],
            y=[seen[-1][1]],
            mode="markers",
            marker={"symbol": symbol, "size": 11, "color": colour, "line": {"width": 2, "color": colour}},
            name=mark,
            legendgroup=mark,
            showlegend=is_first(mark, shown),
            hovertemplate=f"{name}: {mark}<extra></extra>",
        )


def as_plotly(name: str) -> str:
    """A name such that Plotly shows it as it is: it reads tags and entities in every text, `%{...}` in hover texts."""
    return html.escape(name, quote=False).replace("{", "&#123;")


def is_first(name: str, shown: set[str]) -> bool:
    """Whether `name` is new to the legend; remembers it in `shown`."""
    new = name not in shown
    shown.add(name)
    return new
