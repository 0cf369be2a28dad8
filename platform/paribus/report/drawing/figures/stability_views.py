"""How often and when arms fail to train: survival by step, and the same in rows. Import this module by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from paribus.analysis.arms import ArmSummary
from paribus.analysis.contrasts import Contrast
from paribus.analysis.statistics.proportions import wilson
from paribus.analysis.statistics.survival_band import survival_band
from paribus.analysis.study_analysis import StudyAnalysis
from paribus.report.drawing.figures.look import QUIET, as_plotly, faded, lay_out, look_of
from paribus.report.drawing.tables import show_p
from paribus.report.numbers import show_number
from paribus.study.words import FAILED_TO_TRAIN

DASHES = ("solid", "dash", "dot", "dashdot")


def failing_arms(analysis: StudyAnalysis) -> list[ArmSummary]:
    """The arms of which a trial failed to train."""
    return [each for each in analysis.arms if each.failed_replicates]


def survival_figure(arms: Sequence[ArmSummary], level: float, others: int = 0) -> go.Figure | None:
    """The share of each arm's trials that still train, by step (Kaplan and Meier), with pointwise intervals.

    `others` arms in which nothing failed share one line. A tick is a trial that was cut off there. None without an arm
    that says at which step its trials ended.
    """
    known = [each for each in arms if each.survival is not None]
    if not known:
        return None
    figure = go.Figure()
    last = max(float(end) for each in known if each.survival for end in (*each.survival.steps, *each.survival.censored))
    for at, each in enumerate(known):
        _draw_arm(figure, each, look_of(at)[0], DASHES[at % len(DASHES)], last, level)
    if others:
        figure.add_scatter(
            x=[0, last],
            y=[100, 100],
            mode="lines",
            line={"color": QUIET, "width": 1.5, "dash": "dot"},
            name=f"{others} more arms: nothing failed" if others > 1 else "1 more arm: nothing failed",
            hoverinfo="skip",
        )
    lay_out(figure, f"Share that still trains, with pointwise {100 * level:g} % intervals", 420)
    figure.update_xaxes(title="training step", rangemode="tozero")
    return figure.update_yaxes(title="still training (%)", range=[-3, 105])


def _draw_arm(figure: go.Figure, each: ArmSummary, colour: str, dash: str, last: float, level: float) -> None:
    """One arm's curve with its band, and where its trials were cut off."""
    curve, name = each.survival, as_plotly(each.arm.name)
    assert curve is not None
    steps = [0.0, *map(float, curve.steps), last]

    def held(values: Iterable[float]) -> list[float]:
        shares = [1.0, *map(float, values)]
        return [*shares, shares[-1]]

    shares, (low, high) = held(curve.survival), survival_band(curve, level)
    for edge, fill in ((high, None), (low, "tonexty")):
        figure.add_scatter(
            x=steps,
            y=[100 * y for y in held(edge)],
            mode="lines",
            line={"shape": "hv", "width": 0},
            fill=fill,
            fillcolor=faded(colour, 0.14),
            showlegend=False,
            hoverinfo="skip",
            legendgroup=name,
        )
    figure.add_scatter(
        x=steps,
        y=[100 * y for y in shares],
        mode="lines",
        line={"shape": "hv", "color": colour, "width": 2.5, "dash": dash},
        name=f"{name} (n = {sum(each.outcomes.values()) - each.outcomes.get('failed', 0)})",
        legendgroup=name,
        hovertemplate=f"{name}: %{{y:.0f}} % after step %{{x:.0f}}<extra></extra>",
    )
    cut = [float(step) for step in curve.censored if step < last]
    if cut:
        figure.add_scatter(
            x=cut,
            y=[100 * _share_at(step, steps, shares) for step in cut],
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 11, "color": colour},
            name="cut off there",
            legendgroup="cut",
            showlegend=not any(trace.name == "cut off there" for trace in figure.data),
            hovertemplate=f"{name}: cut off at step %{{x:.0f}}<extra></extra>",
        )


def arm_rows(analysis: StudyAnalysis) -> list[dict[str, str]]:
    """The failing arms: how many of its trials trained through, with Wilson's interval, and when each one failed."""
    rows, head = [], f"share (%) [{100 * (1 - analysis.alpha):g} % interval]"
    for each in failing_arms(analysis):
        ended, failed = _ended(each), len(each.failed_replicates)
        low, high = wilson(ended - failed, ended, 1 - analysis.alpha)
        rows.append(
            {
                "arm": f"{each.arm.name}{' (baseline)' if each.is_baseline else ''}",
                "trained through": f"{ended - failed} of {ended}",
                head: f"{100 * (ended - failed) / ended:.0f} [{100 * low:.0f}, {100 * high:.0f}]",
                "which failed": ", ".join(
                    f"r{replicate} {outcome}" for replicate, outcome in each.failed_replicates.items()
                ),
            }
        )
    return rows


def contrast_rows(contrasts: Sequence[Contrast]) -> list[dict[str, str]]:
    """Each contrast in which a run failed: how often on either side, the difference with its interval, the test."""
    return [_contrast_row(each) for each in contrasts if each.stability.any_failed]


def _contrast_row(contrast: Contrast) -> dict[str, str]:
    found = contrast.stability
    ends = (
        f" [{show_number(100 * found.interval.low, '+.0f')}, {show_number(100 * found.interval.high, '+.0f')}]"
        if found.interval
        else ""
    )
    return {
        "arm": contrast.arm.name,
        "baseline": contrast.baseline.name,
        "arm failed to train": f"{found.arm_failed} of {found.n}",
        "baseline failed to train": f"{found.baseline_failed} of {found.n}",
        "difference (percentage points)": f"{show_number(100 * found.difference, '+.0f')}{ends}",
        "p, Boschloo's exact test (Holm)": show_p(found.p_holm),
        "p, log-rank by step": "-" if found.log_rank_p is None else show_p(found.log_rank_p),
    }


def folded_sentence(analysis: StudyAnalysis) -> str:
    """What is said of all contrasts in which nothing failed; "" where there is none."""
    whole = [each for each in analysis.contrasts if each.stability.n and not each.stability.any_failed]
    if not whole:
        return ""
    least = min(each.stability.n for each in whole)
    what = "1 contrast" if len(whole) == 1 else f"{len(whole)} contrasts"
    return f"In {what} no run failed on either side, in {least} pairs or more: not shown"


def _ended(each: ArmSummary) -> int:
    return sum(count for outcome, count in each.outcomes.items() if outcome in ("finished", *FAILED_TO_TRAIN))


def _share_at(step: float, steps: Sequence[float], shares: Sequence[float]) -> float:
    """The value of the step curve at a step."""
    return next(share for at, share in zip(reversed(steps), reversed(shares), strict=True) if at <= step)
