"""Survival over steps against statsmodels, and the paired counts of failures."""

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from paribus.analysis.stability import kaplan_meier, log_rank, stability_note, stability_of


def _trials(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    arm = np.repeat([True, False], n // 2)
    steps = np.ceil(rng.exponential(np.where(arm, 30, 60)))
    strata = np.tile(np.arange(n // 10), 10)
    return np.minimum(steps, 80), steps <= 80, arm, strata


def test_kaplan_meier_is_statsmodels(rng: np.random.Generator) -> None:
    steps, failed, _, _ = _trials(rng, 60)
    expected = SurvfuncRight(steps, failed.astype(int))
    found = kaplan_meier(steps, failed)
    at_failures = expected.n_events > 0
    assert np.array_equal(found.steps, expected.surv_times[at_failures])
    assert np.allclose(found.survival, expected.surv_prob[at_failures])
    assert found.censored.size == (~failed).sum()


def test_kaplan_meier_by_hand() -> None:
    found = kaplan_meier([10, 20, 20, 30], [True, True, False, False])
    assert found.steps.tolist() == [10, 20]
    assert found.survival == pytest.approx([3 / 4, 3 / 4 * 2 / 3])
    assert found.at_risk.tolist() == [4, 3]


def test_kaplan_meier_without_trials_raises() -> None:
    with pytest.raises(ValueError, match="at least one"):
        kaplan_meier([], [])


def test_the_stratified_log_rank_test_is_statsmodels(rng: np.random.Generator) -> None:
    steps, failed, arm, strata = _trials(rng, 60)
    found = log_rank(steps, failed, arm, strata)
    assert found is not None
    assert found.p == pytest.approx(survdiff(steps, failed.astype(int), arm, strata=strata)[1])
    plain = log_rank(steps, failed, arm, np.zeros(60))
    assert plain is not None
    assert plain.p == pytest.approx(survdiff(steps, failed.astype(int), arm)[1])


def test_a_log_rank_test_over_nothing_that_failed_is_none() -> None:
    assert log_rank([5, 5], [False, False], [True, False], [1, 1]) is None


def test_stability_counts_the_paired_table() -> None:
    found = stability_of([True, True, False, False, True], [True, False, True, False, False], p_holm=1.0)
    counts = (found.both_failed, found.arm_failed_alone, found.baseline_failed_alone, found.neither_failed)
    assert counts == (1, 2, 1, 1)
    assert found.difference == pytest.approx(0.2)
    assert found.interval is not None
    assert found.interval.low < 0.2 < found.interval.high


def test_five_of_five_failures_say_how_many_replicates_are_needed() -> None:
    found = stability_of([True] * 5, [False] * 5, p_holm=1.0)
    note = stability_note(found, 0.05, num_contrasts=3)
    assert note is not None
    assert "0.0625" in note
    assert "at least 6 replicates, 7 to be safe over 3 contrasts" in note


def test_without_replicates_there_is_no_interval() -> None:
    found = stability_of([], [], p_holm=1.0)
    assert found.interval is None
    assert np.isnan(found.difference)
    assert stability_note(found, 0.05) is None
