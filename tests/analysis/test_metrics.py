"""The margins that a metric bears."""

import pytest

from paribus.analysis.metrics import AnalysisError, check_margin
from paribus.metrics.known import METRICS


def test_a_margin_of_one_example_is_the_least_and_may_lack_a_thousandth_of_it() -> None:
    for margin in (0.25, 0.24976, 0.25 * (1 - 1e-3), 7.0):
        check_margin(margin, METRICS["top1"], 400)
    with pytest.raises(AnalysisError, match=r"below one of the 400 evaluation examples \(0\.25 points\)"):
        check_margin(0.2497, METRICS["top1"], 400)
    check_margin(1e-9, METRICS["top1"], None)
    check_margin(1e-9, METRICS["eval_loss"], 400)


@pytest.mark.parametrize("margin", [0.0, -0.5, float("nan")])
def test_a_margin_that_is_not_above_0_is_refused(margin: float) -> None:
    with pytest.raises(AnalysisError, match="must be above 0"):
        check_margin(margin, METRICS["eval_loss"], None)
