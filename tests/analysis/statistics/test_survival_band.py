"""The band of a survival curve: scipy's, and what it says where scipy says nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paribus.analysis.statistics.stability import kaplan_meier
from paribus.analysis.statistics.survival_band import survival_band

STEPS = np.array([10, 20, 20, 30, 35, 50, 60, 60, 80, 80], dtype=float)
FAILED = np.array([1, 1, 0, 1, 0, 1, 1, 1, 0, 0], dtype=bool)


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_band_is_scipys_of_the_complementary_log_log(level: float) -> None:
    low, high = survival_band(kaplan_meier(STEPS, FAILED), level)
    sample = stats.CensoredData(uncensored=STEPS[FAILED], right=STEPS[~FAILED])
    found = stats.ecdf(sample).sf.confidence_interval(level, method="log-log")
    at = np.isin(found.low.quantiles, STEPS[FAILED])
    assert low == pytest.approx(found.low.probabilities[at])
    assert high == pytest.approx(found.high.probabilities[at])


def test_where_all_have_failed_the_band_goes_from_nothing_to_what_it_was_before() -> None:
    low, high = survival_band(kaplan_meier([10, 20, 30], [True, True, True]))
    assert low[-1] == 0
    assert high[-1] == high[-2] < 1
    low, high = survival_band(kaplan_meier([10, 10], [True, True]))
    assert (list(low), list(high)) == ([0.0], [1.0])


def test_a_curve_without_a_failure_has_an_empty_band() -> None:
    low, high = survival_band(kaplan_meier([10, 20], [False, False]))
    assert low.size == high.size == 0
