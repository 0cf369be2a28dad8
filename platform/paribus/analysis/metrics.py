"""What a metric's margin must be, and what analysis refuses."""

from paribus.metrics.metric import Metric


class AnalysisError(ValueError):
    """Results or words that no analysis can be made of; the message says what to change."""


def check_margin(margin: float, metric: Metric, num_eval: int | None) -> None:
    """Raises AnalysisError for a margin that is not positive or is below one evaluation example."""
    if not margin > 0:
        raise AnalysisError(f"margin {margin!r}: the smallest effect of interest must be above 0 {metric.unit}")
    step = metric.resolution(num_eval)
    # An honest margin of one example may be written with fewer digits than 100 / n_eval has.
    if margin < step * (1 - 1e-3):
        raise AnalysisError(
            f"margin {margin:g} {metric.unit} is below one of the {num_eval} evaluation examples ({step:.3g} "
            f"{metric.unit}): no study on them can show so small an effect; use a margin of at least {step:.3g}"
        )
