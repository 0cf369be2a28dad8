"""Figures over evaluation examples: by class, what is taken for what, reliability. Import this module by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from paribus.analysis.exploratory.classes import Bin, ClassDelta
from paribus.report.drawing.figures.look import BAD, COLOURS, GOOD, QUIET, faded, lay_out
from paribus.report.numbers import with_interval

MOST_CLASSES: Final = 40


def classes_figure(found: Sequence[ClassDelta], alpha: float) -> go.Figure:
    """The difference in each class with its interval, those that moved most first; at most `MOST_CLASSES`."""
    own = sorted(found, key=lambda each: -abs(each.delta))[:MOST_CLASSES]
    own.sort(key=lambda each: each.delta)
    figure = go.Figure()
    for each in own:
        told = each.p_holm < alpha
        colour = QUIET if not told else GOOD if each.delta > 0 else BAD
        name = f"class {each.label}"
        if each.interval is not None:
            figure.add_scatter(
                x=[each.interval.low, each.interval.high],
                y=[name] * 2,
                mode="lines",
                line={"color": colour, "width": 4},
                hoverinfo="skip",
            )
        figure.add_scatter(
            x=[each.delta],
            y=[name],
            mode="markers",
            marker={"color": colour, "size": 10, "symbol": "diamond" if told else "circle-open", "line": {"width": 2}},
            hovertemplate=f"{name}: {with_interval(each.delta, each.interval, '+.1f')} points, n = {each.n}, "
            f"{each.num_examples} images<extra></extra>",
        )
    lay_out(figure, "Accuracy by class, arm minus baseline", 130 + 26 * len(own), showlegend=False)
    figure.add_vline(x=0, line_width=1, line_color=QUIET)
    return figure.update_xaxes(title="points; colour: corrected p below the study's level")


def confusion_figure(arm: NDArray[np.float64], baseline: NDArray[np.float64]) -> go.Figure:
    """Which mistakes the arm makes more often than its baseline (orange) and which less (blue), in points."""
    change = arm - baseline
    np.fill_diagonal(change, 0.0)  # what is right is no mistake
    most = max(float(np.abs(change).max()), 1e-9)
    classes = [str(at) for at in range(len(change))]
    figure = go.Figure(
        go.Heatmap(
            z=change,
            x=classes,
            y=classes,
            zmid=0,
            zmin=-most,
            zmax=most,
            colorscale=[[0, COLOURS[0]], [0.5, faded(QUIET, 0.08)], [1, COLOURS[4]]],
            colorbar={"title": "points", "thickness": 12},
            customdata=np.stack([arm, baseline], axis=-1),
            hovertemplate="class %{y} taken for %{x}: arm %{customdata[0]:.1f} %, baseline %{customdata[1]:.1f} %"
            "<extra></extra>",
        )
    )
    lay_out(figure, "Mistakes, arm minus baseline", 480)
    figure.update_xaxes(title="taken for class", type="category", showgrid=False)
    return figure.update_yaxes(title="class", type="category", autorange="reversed", showgrid=False)


def reliability_figure(arm: Sequence[Bin], baseline: Sequence[Bin]) -> go.Figure:
    """How often each side is right against how sure it is: on the line it is as often right as it says.

    Bins that fewer than three replicates have any image in are left out, for they have no interval.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100],
        y=[0, 100],
        mode="lines",
        line={"color": QUIET, "dash": "dot", "width": 1.5},
        name="as sure as right",
    )
    for name, bins, colour, symbol in (
        ("arm", arm, COLOURS[0], "circle"),
        ("baseline", baseline, COLOURS[4], "square"),
    ):
        own = [each for each in bins if each.interval is not None]
        figure.add_scatter(
            x=[each.confidence for each in own],
            y=[each.accuracy for each in own],
            mode="lines+markers",
            line={"color": colour, "width": 1.5},
            marker={"color": colour, "size": 9, "symbol": symbol},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [each.interval.high - each.accuracy if each.interval else 0.0 for each in own],
                "arrayminus": [each.accuracy - each.interval.low if each.interval else 0.0 for each in own],
                "color": faded(colour, 0.7),
            },
            name=name,
            text=[
                f"{with_interval(each.accuracy, each.interval, '.1f')} % right where {each.confidence:.1f} % sure, "
                f"n = {each.n}, {each.num_examples:.0f} images a replicate"
                for each in own
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    lay_out(figure, "Reliability", 420)
    figure.update_xaxes(title="mean probability of the predicted class (%)", range=[0, 102])
    return figure.update_yaxes(title="right (%)", range=[0, 102])
