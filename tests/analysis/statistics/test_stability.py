"""Survival over steps against statsmodels, and the paired counts of failures."""

import numpy as np
import pytest
from scipy.stats import chi2
from statsmodels.duration.survfunc import SurvfuncRight, survdiff
from statsmodels.stats.proportion import proportion_confint

from paribus.analysis import analyse
from paribus.analysis.sentences import stability_note
from paribus.analysis.statistics.boschloo import boschloo
from paribus.analysis.statistics.proportions import newcombe
from paribus.analysis.statistics.stability import excluded_excess, kaplan_meier, largest_excess, log_rank, stability_of
from paribus.study import Study


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


def test_a_trial_that_ends_at_the_step_of_a_failure_was_still_at_risk_there() -> None:
    found = kaplan_meier([10, 10, 20], [True, False, True])
    assert found.at_risk.tolist() == [3, 1]
    assert found.survival == pytest.approx([2 / 3, 0.0])
    assert found.censored.tolist() == [10]
    assert kaplan_meier([30, 5], [False, False]).censored.tolist() == [5, 30]


def test_only_strata_in_which_either_side_could_have_failed_first_are_informative() -> None:
    # A pair whose arm fails first has expectation 1 / 2 and variance 1 / 4; when it fails the last, alone, neither.
    one = log_rank([10, 40], [True, False], [True, False], [1, 1])
    assert one is not None
    assert one.informative_strata == 1
    assert one.p == pytest.approx(chi2.sf(0.5**2 / 0.25, 1))
    # The second stratum's failure comes when the arm alone is still at risk: it says nothing.
    two = log_rank([10, 40, 20, 30], [True, False, False, True], [True, False, False, True], [1, 1, 2, 2])
    assert two == one


def test_five_pairs_in_which_the_arm_alone_fails_have_the_log_rank_p_of_five_fair_coins() -> None:
    steps, failed = [10, 40] * 5, [True, False] * 5
    found = log_rank(steps, failed, [True, False] * 5, np.repeat(np.arange(5), 2))
    assert found is not None
    assert (found.informative_strata, found.p) == (5, pytest.approx(chi2.sf(2.5**2 / 1.25, 1)))


def test_newcombes_interval_and_the_corrected_p_are_those_that_were_asked_for() -> None:
    arm, base = [True, True, False, False, True], [True, False, True, False, False]
    found = stability_of(arm, base, p_holm=0.3, log_rank_p=0.2, level=0.9)
    assert found.interval == newcombe(1, 2, 1, 1, 0.9)
    assert (found.p_holm, found.log_rank_p) == (0.3, 0.2)
    assert stability_of(arm, base, p_holm=1.0).interval == newcombe(1, 2, 1, 1, 0.95)


def test_one_failure_on_either_side_is_a_failure() -> None:
    assert not stability_of([False] * 3, [False] * 3, p_holm=1.0).any_failed
    assert stability_of([True, False, False], [False] * 3, p_holm=1.0).any_failed
    assert stability_of([False] * 3, [True, False, False], p_holm=1.0).any_failed


def test_the_excluded_excess_is_sharp_only_where_nobody_failed_on_either_side() -> None:
    for arm, base in ((0, 1), (1, 0), (1, 1), (6, 0)):
        low, _ = proportion_confint(base, 6, 0.1 / 2, method="beta")
        _, high = proportion_confint(arm, 6, 0.1 / 2, method="beta")
        assert largest_excess(arm, base, 6, 2, alpha=0.1) == pytest.approx(high - low)


def test_one_outcome_per_step_is_needed() -> None:
    with pytest.raises(ValueError, match="one outcome per step"):
        kaplan_meier([10, 20, 30], [True, False])


@pytest.mark.parametrize(("replicates", "tested"), [(4, False), (5, True)])
def test_a_study_shows_the_log_rank_p_from_five_informative_replicates_on(
    study: Study, results_of, replicates: int, tested: bool
) -> None:
    table = {1.0: [90.0, 90.2, 89.8, 90.1, 89.9][:replicates], 2.0: ["dead"] * replicates}
    found = analyse(study.vary(replicates=replicates), results_of(study, table)).contrasts[0]
    assert (found.stability.log_rank_p is not None) is tested
