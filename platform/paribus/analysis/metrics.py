"""The metrics that trials report: their units, and which way is better."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric's name in records, its label and unit for people; `sign` is +1 where larger is better, else -1."""

    name: str
    label: str
    unit: str
    sign: int = 1
    is_accuracy: bool = False


METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric(name="top1", label="top-1 accuracy", unit="points", is_accuracy=True),
        Metric(name="top5", label="top-5 accuracy", unit="points", is_accuracy=True),
        Metric(name="log_likelihood", label="mean log-likelihood", unit="nats"),
        Metric(name="eval_loss", label="evaluation loss", unit="nats", sign=-1),
    )
}


def metric_called(name: str) -> Metric:
    """The metric of that name. Raises AnalysisError for one that analysis doesn't know."""
    if name not in METRICS:
        raise AnalysisError(f"metric {name!r} has no known unit and direction: use one of {', '.join(METRICS)}")
    return METRICS[name]


class AnalysisError(ValueError):
    """Results or words that no analysis can be made of; the message says what to change."""


def resolution_of(metric: Metric, num_eval: int | None) -> float:
    """The smallest step of the metric in its unit: 100 / n_eval points for an accuracy, 0 where there is none."""
    return 100 / num_eval if metric.is_accuracy and num_eval else 0.0


def check_margin(margin: float, metric: Metric, num_eval: int | None) -> None:
    """Raises AnalysisError for a margin that is not positive or is below one evaluation example."""
    if not margin > 0:
        raise AnalysisError(f"margin {margin!r}: the smallest effect of interest must be above 0 {metric.unit}")
    step = resolution_of(metric, num_eval)
    # An honest margin of one example may be written with fewer digits than 100 / n_eval has.
    if margin < step * (1 - 1e-3):
        raise AnalysisError(
            f"margin {margin:g} {metric.unit} is below one of the {num_eval} evaluation examples ({step:.3g} "
            f"{metric.unit}): no study on them can show so small an effect; use a margin of at least {step:.3g}"
        )
