"""Survival over steps against statsmodels, and the paired counts of failures."""

import numpy as np
import pytest
from statsmodels.duration.survfunc import SurvfuncRight, survdiff
from statsmodels.stats.proportion import proportion_confint

from paribus.analysis.boschloo import boschloo
from paribus.analysis.sentences import stability_note
from paribus.analysis.stability import excluded_excess, kaplan_meier, largest_excess, log_rank, stability_of


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


def test_the_p_is_boschloos_on_the_two_counts() -> None:
    assert stability_of([True] * 5, [False] * 5, p_holm=1.0).p == pytest.approx(2 * 0.5**10)
    # The same counts, whichever replicates they fell on.
    paired = stability_of([True, True, True, False, False], [True, False, False, False, False], p_holm=1.0)
    crossed = stability_of([True, True, True, False, False], [False, False, False, False, True], p_holm=1.0)
    assert (paired.arm_failed, paired.baseline_failed) == (crossed.arm_failed, crossed.baseline_failed) == (3, 1)
    assert paired.p == crossed.p == float(boschloo(3, 1, 5))


def test_without_replicates_there_is_no_interval() -> None:
    found = stability_of([], [], p_holm=1.0)
    assert found.interval is None
    assert np.isnan(found.difference)
    assert stability_note(found, None, 0.05) is None


def test_what_no_failure_excludes_is_what_would_have_shown_one() -> None:
    assert excluded_excess(5, 1) == pytest.approx(0.45, abs=0.005)
    assert excluded_excess(14, 6) == pytest.approx(0.29, abs=0.005)
    excess = excluded_excess(9, 4, alpha=0.1)
    assert (1 - excess) ** 9 == pytest.approx(0.1 / 4)


def test_the_largest_excess_is_clopper_pearsons_and_the_sharp_one_where_nobody_failed() -> None:
    assert largest_excess(0, 0, 5, 1) == excluded_excess(5, 1)
    for arm, base, n, contrasts in ((2, 2, 10, 3), (0, 3, 8, 1), (8, 8, 8, 2)):
        tail = 0.05 / (2 * contrasts)
        low, _ = proportion_confint(base, n, 2 * tail, method="beta")
        _, high = proportion_confint(arm, n, 2 * tail, method="beta")
        assert largest_excess(arm, base, n, contrasts) == pytest.approx(high - low)


def test_the_note_has_counts_interval_both_p_and_what_settles_it() -> None:
    found = stability_of([True] * 3 + [False] * 5, [False] * 8, p_holm=0.14)
    note = stability_note(found, 4.0, 0.05)
    assert note is not None
    assert note.startswith("failed to train in 3 of 8 against 0 of 8, difference +38 [")
    assert f"Boschloo's p = {found.p:.2g}, 0.14 after Holm's correction" in note
    assert "; an excess of failures above " in note
    assert note.endswith(
        "not settled; about 4 further replicates (8 trials of the two arms) would settle it with 80 % "
        "power at these failure rates"
    )
    assert "not settled" not in stability_note(found, 4.0, 0.2)  # type: ignore[operator]
