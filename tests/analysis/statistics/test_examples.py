"""Metrics over examples: closed forms, statsmodels and scipy, and what cannot be paired."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from paribus.analysis.metrics import AnalysisError
from paribus.analysis.statistics.examples import accuracy, accuracy_difference, mean, mean_difference
from paribus.analysis.statistics.proportions import newcombe

RNG = np.random.default_rng(0)


def test_an_accuracy_has_wilsons_interval_in_points() -> None:
    correct = np.arange(400) < 380
    found = accuracy(correct)
    low, high = proportion_confint(380, 400, method="wilson")
    assert (found.value, found.n) == (95.0, 400)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((100 * low, 100 * high))
    assert found.interval.covers == "data chance"
    perfect = accuracy(np.ones(50, bool)).interval
    assert perfect is not None
    assert perfect.low < 100 == pytest.approx(perfect.high), "50 of 50 are no certainty"


def test_a_difference_of_accuracies_is_newcombes_and_turns_with_the_sides() -> None:
    first, second = RNG.random(300) < 0.9, RNG.random(300) < 0.8
    found, back = accuracy_difference(first, second), accuracy_difference(second, first)
    table = [int(((first == a) & (second == b)).sum()) for a in (True, False) for b in (True, False)]
    expected = newcombe(*table)
    assert found.value == pytest.approx(100 * (first.mean() - second.mean()))
    assert found.interval is not None
    assert back.interval is not None
    assert (found.interval.low, found.interval.high) == pytest.approx((100 * expected.low, 100 * expected.high))
    assert (back.value, back.interval.low) == pytest.approx((-found.value, -found.interval.high))


def test_means_have_the_t_interval() -> None:
    first, second = RNG.normal(size=200), RNG.normal(size=200)
    for found, values in ((mean(first), first), (mean_difference(first, second), first - second)):
        expected = stats.ttest_1samp(values, 0).confidence_interval()
        assert found.interval is not None
        assert found.value == pytest.approx(values.mean())
        assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))


def test_pairing_narrows_what_two_intervals_would_leave_open() -> None:
    first = RNG.normal(size=500)
    paired = mean_difference(first + 0.01 * RNG.normal(size=500), first).interval
    alone = mean(first).interval
    assert paired is not None
    assert alone is not None
    assert paired.half_width < 0.05 * alone.half_width


def test_an_infinite_mean_has_no_interval_and_is_written_as_such() -> None:
    found = mean(np.array([-np.inf, -1.0, -2.0, -0.5]))
    assert (found.value, found.interval) == (-np.inf, None)
    assert found.as_dict() == {"value": None, "low": None, "high": None, "n": 4}


def test_intervals_hold_what_they_promise() -> None:
    covered = 0
    for _ in range(1000):
        both = RNG.random((2, 200)) < np.array([[0.93], [0.9]])
        interval = accuracy_difference(both[0], both[1]).interval
        assert interval is not None
        covered += interval.low <= 3.0 <= interval.high
    assert 930 <= covered <= 980


@pytest.mark.parametrize(("first", "second"), [([1, 0], [1]), ([], []), ([[1, 0]], [[1, 0]])])
def test_what_cannot_be_paired_is_refused(first: list[int], second: list[int]) -> None:
    with pytest.raises(AnalysisError):
        accuracy_difference(first, second)


@pytest.mark.parametrize("level", [0.8, 0.99])
def test_every_estimate_is_at_the_level_that_was_asked_for_and_names_its_chance(level: float) -> None:
    first, second = RNG.random(60) < 0.9, RNG.random(60) < 0.7
    numbers = RNG.normal(size=60)
    low, high = proportion_confint(int(first.sum()), 60, alpha=1 - level, method="wilson")
    table = [int(((first == a) & (second == b)).sum()) for a in (True, False) for b in (True, False)]
    paired, t = newcombe(*table, level), stats.ttest_1samp(numbers, 0).confidence_interval(level)
    difference = stats.ttest_1samp(numbers - first, 0).confidence_interval(level)
    for found, ends in (
        (accuracy(first, level), (100 * low, 100 * high)),
        (accuracy_difference(first, second, level), (100 * paired.low, 100 * paired.high)),
        (mean(numbers, level), (t.low, t.high)),
        (mean_difference(numbers, first, level), (difference.low, difference.high)),
    ):
        assert found.interval is not None
        assert (found.interval.low, found.interval.high) == pytest.approx(ends)
        assert (found.interval.level, found.interval.covers, found.n) == (level, "data chance", 60)
        assert found.as_dict() == {
            "value": found.value,
            "low": found.interval.low,
            "high": found.interval.high,
            "n": 60,
        }


def test_a_mean_of_two_examples_has_no_interval_and_of_three_has() -> None:
    assert mean([1.0, 2.0]).interval is None
    assert mean([1.0, 2.0]).value == 1.5
    assert mean([1.0, 2.0, 4.0]).interval is not None
    assert (accuracy([True]).value, accuracy([False, True]).value, accuracy([True]).n) == (100.0, 50.0, 1)
