"""The smallest step of a metric, and the margins that it bears."""

import pytest

from paribus.analysis.metrics import METRICS, AnalysisError, check_margin, metric_called, resolution_of


def test_one_example_is_the_smallest_step_of_an_accuracy_and_a_mean_in_nats_has_none() -> None:
    assert resolution_of(METRICS["top1"], 400) == resolution_of(METRICS["top5"], 400) == 0.25
    assert resolution_of(METRICS["log_likelihood"], 400) == resolution_of(METRICS["eval_loss"], 400) == 0.0
    assert resolution_of(METRICS["top1"], None) == 0.0


def test_a_smaller_loss_is_better_and_a_larger_of_all_else() -> None:
    assert {name: metric.sign for name, metric in METRICS.items()} == {
        "top1": 1,
        "top5": 1,
        "log_likelihood": 1,
        "eval_loss": -1,
    }


def test_a_margin_of_one_example_is_the_least_and_may_lack_a_thousandth_of_it() -> None:
    for margin in (0.25, 0.24976, 7.0):
        check_margin(margin, METRICS["top1"], 400)
    with pytest.raises(AnalysisError, match=r"below one of the 400 evaluation examples \(0\.25 points\)"):
        check_margin(0.2497, METRICS["top1"], 400)
    check_margin(1e-9, METRICS["top1"], None)
    check_margin(1e-9, METRICS["eval_loss"], 400)


@pytest.mark.parametrize("margin", [0.0, -0.5, float("nan")])
def test_a_margin_that_is_not_above_0_is_refused(margin: float) -> None:
    with pytest.raises(AnalysisError, match="must be above 0"):
        check_margin(margin, METRICS["eval_loss"], None)


def test_a_metric_of_unknown_unit_is_refused() -> None:
    assert metric_called("top5") is METRICS["top5"]
    with pytest.raises(AnalysisError, match="no known unit"):
        metric_called("f1")
