"""A study's arms by a metric and by what they cost: which trials count, and the same as rows and as a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Any, Final

import plotly.graph_objects as go

from paribus.analysis.exploratory.tradeoffs import MIN_REPLICATES, TradeOff, trade_offs
from paribus.report.drawing.figures.look import QUIET, as_plotly, lay_out, look_of
from paribus.report.numbers import amount, with_interval

if TYPE_CHECKING:
    from paribus.analysis.statistics.intervals import Interval
    from paribus.metrics.metric import Metric
    from paribus.report.study_report import StudyReport
    from paribus.study.words import Arm

# What a trial says of its cost: the name of the metric that it ends with, and what it is, with its unit.
COSTS: Final[Mapping[str, str]] = {
    "num_params": "parameters",
    "flops": "FLOPs an image, forward",
    "total_s": "seconds of a worker",
    "gpu_s": "GPU-seconds",
    "peak_memory_mib": "peak memory (MiB)",
}
# Costs that span more are drawn on a logarithmic axis.
_WIDE = 8.0


def metrics_of(report: StudyReport) -> dict[str, Metric]:
    """The metrics that some finished trial has, the judged one first."""
    analysis, study = report.analysis, report.study
    if analysis is None or study is None:
        return {}
    told = {name for row in report.trials if row.state == "finished" and row.record for name in row.record.metrics}
    known = {analysis.metric.name: analysis.metric, **study.metrics}
    return {name: metric for name, metric in known.items() if name in told}


def costs_of(report: StudyReport) -> dict[str, str]:
    """The costs that some finished trial tells."""
    told = {name for row in report.trials if row.state == "finished" and row.record for name in row.record.metrics}
    return {name: text for name, text in COSTS.items() if name in told}


def trade_offs_of(report: StudyReport, metric: Metric, cost: str) -> list[TradeOff]:
    """Every arm with a trial that was trained to its end and tells both; trials that failed to train count nowhere."""
    analysis = report.judged
    points: dict[Arm, dict[int, tuple[float, float]]] = {}
    for row in report.trials:
        if row.state != "finished" or row.record is None or row.arm.again:
            continue
        value, price = row.record.metrics.get(metric.name), row.record.metrics.get(cost)
        if value is not None and price is not None and isfinite(value) and isfinite(price):
            points.setdefault(row.arm, {})[row.replicate] = (value, price)
    return trade_offs(points, metric.sign, metric.resolution(analysis.num_eval), 1 - analysis.alpha)


def trade_off_rows(report: StudyReport, metric: Metric, cost: str) -> list[dict[str, str]]:
    """The arms by cost, for people; the share on the front stands in a column of its own."""
    failed = {row.arm: row.failed_to_train for row in report.arms}
    return [
        {
            "arm": each.arm.name,
            COSTS[cost]: _cost_text(each),
            f"{metric.short} ({metric.of_level})".replace(" ()", ""): with_interval(
                each.value, each.value_interval, f".{metric.digits}f"
            ),
            "n": str(each.n),
            "on the front": "yes" if each.on_front else "no",
            "of resamples": "-" if each.front_share is None else f"{100 * each.front_share:.0f} %",
            "failed to train": str(failed.get(each.arm, 0)),
        }
        for each in trade_offs_of(report, metric, cost)
    ]


def front_sentence(found: list[TradeOff]) -> str:
    """How sure the front is, or why that can't be told."""
    if len(found) < 2:
        return "A front needs two arms that were trained to their end"
    if found[0].front_share is None:
        least = min(each.n for each in found)
        return (
            f"How sure the front is can't be told: an arm has {least} of the {MIN_REPLICATES} replicates that it takes"
        )
    doubtful = [each.arm.name for each in found if each.front_share is not None and 0.05 < each.front_share < 0.95]
    if not doubtful:
        return "The front is the same in 95 % of the resamples of the replicates, arm by arm"
    return f"Whether on the front is open for {len(doubtful)} of {len(found)} arms: {', '.join(doubtful)}"


def trade_off_figure(report: StudyReport, metric: Metric, cost: str) -> go.Figure | None:
    """Means with intervals in both directions, the Pareto front as a line; None where no arm tells both.

    What is on the front is filled. Arms that cost the same stand side by side, a little off their cost.
    """
    found = trade_offs_of(report, metric, cost)
    if not found:
        return None
    figure, front = go.Figure(), [each for each in found if each.on_front]
    costs = [each.cost for each in found]
    is_log = min(costs) > 0 and max(costs) / min(costs) > _WIDE
    figure.add_scatter(
        x=[each.cost for each in front],
        y=[each.value for each in front],
        mode="lines",
        line={"shape": "hv", "color": QUIET, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
        name="front of the means",
    )
    for at, (each, x) in enumerate(zip(found, _side_by_side(costs, is_log), strict=True)):
        colour, symbol = look_of(at)
        figure.add_scatter(
            x=[x],
            y=[each.value],
            mode="markers",
            marker={
                "color": colour,
                "size": 11,
                "symbol": symbol if each.on_front else f"{symbol}-open",
                "line": {"width": 2, "color": colour},
            },
            error_x=_bars(each.cost, each.cost_interval, colour),
            error_y=_bars(each.value, each.value_interval, colour),
            name=as_plotly(each.arm.name),
            hovertemplate=f"{_told(each, metric, cost)}<extra></extra>",
        )
    lay_out(figure, f"{metric.label} against {COSTS[cost]}", 440 + 12 * len(found))
    ends = [end for each in found if (one := each.cost_interval) for end in (one.low, one.high) if end > 0]
    ticks = _ticks([*costs, *ends]) if is_log else {"type": "linear"}
    figure.update_xaxes(title=COSTS[cost], **ticks)
    return figure.update_yaxes(title=f"{metric.label} ({metric.of_level})".replace(" ()", ""))


def _ticks(costs: Sequence[float]) -> dict[str, Any]:
    """A logarithmic axis with 1, 2 and 5 of each power of ten, as people write amounts."""
    powers = range(floor(log10(min(costs))), ceil(log10(max(costs))) + 1)
    values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    return {"type": "log", "tickvals": values, "ticktext": [amount(value) for value in values]}


def _side_by_side(costs: Sequence[float], is_log: bool) -> list[float]:
    """Where points are drawn: those of equal cost apart by a hundredth and a half of the axis."""
    low, high = min(costs), max(costs)
    placed = []
    for at, cost in enumerate(costs):
        same = [index for index, other in enumerate(costs) if other == cost]
        shift = 0.015 * (same.index(at) - (len(same) - 1) / 2)
        if is_log:
            placed.append(cost * (high / low) ** shift)
        else:
            placed.append(cost + shift * ((high - low) or abs(high) or 1.0))
    return placed


def _bars(value: float, interval: Interval | None, colour: str) -> dict[str, object] | None:
    if interval is None:
        return None
    ends = {"array": [interval.high - value], "arrayminus": [value - interval.low]}
    return {"type": "data", "symmetric": False, **ends, "color": colour, "thickness": 1.5}


def _cost_text(each: TradeOff) -> str:
    if each.cost_interval is None:
        return amount(each.cost)
    return f"{amount(each.cost)} [{amount(each.cost_interval.low)}, {amount(each.cost_interval.high)}]"


def _told(each: TradeOff, metric: Metric, cost: str) -> str:
    value = with_interval(each.value, each.value_interval, f".{metric.digits}f")
    share = "" if each.front_share is None else f"<br>on the front in {100 * each.front_share:.0f} % of resamples"
    return (
        f"{as_plotly(each.arm.name)}<br>{metric.short} {value}, n = {each.n}<br>{COSTS[cost]} {_cost_text(each)}{share}"
    )
