"""The smallest effect that a plan can detect, against statsmodels, scipy and simulation."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import ndtr
from statsmodels.stats.power import TTestPower

from paribus.analysis.statistics.boschloo import boschloo_table
from paribus.analysis.statistics.multiplicity import holm
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, judge
from paribus.study.power import (
    Power,
    boschloo,
    detectable,
    equivalence_power,
    failures_needed,
    power_of,
    power_of_study,
    rate_found,
    replicates_for_equivalence,
)


@pytest.mark.parametrize("replicates", [3, 4, 5, 10, 20, 50, 200])
def test_the_detectable_effect_agrees_with_statsmodels(replicates: int) -> None:
    theirs = TTestPower().solve_power(nobs=replicates, alpha=0.05, power=0.8, alternative="two-sided")
    assert detectable(1.0, replicates) == pytest.approx(float(np.squeeze(theirs)), rel=1e-4)


# statsmodels' solver stops short at small alpha and few replicates (7.17 for 7.32 at R = 3, alpha = 0.01), where its
# power is nan just beside; so there the t test's power is integrated from its definition.
@pytest.mark.parametrize("replicates", [3, 4, 5, 20])
@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.05 / 7, 1e-4])
def test_the_detectable_effect_agrees_with_the_definition(replicates: int, alpha: float) -> None:
    df, critical = replicates - 1, float(stats.t.isf(alpha / 2, replicates - 1))
    shift = (detectable(1.0, replicates, alpha) or 0) * replicates**0.5

    def found(chi_square: float) -> float:
        return float(ndtr(shift - critical * (chi_square / df) ** 0.5) * stats.chi2.pdf(chi_square, df))

    power, _ = quad(found, 0, np.inf, limit=500, epsabs=1e-12)
    assert power == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize("replicates", [2, 3, 5, 20])
@pytest.mark.parametrize("effect", [0.5, 1.0, 2.0])
def test_power_is_the_upper_tail_of_the_noncentral_t(replicates: int, effect: float) -> None:
    df, shift = replicates - 1, effect / 0.7 * replicates**0.5
    tail = stats.nct.sf(stats.t.isf(0.025, df), df, shift)
    assert power_of(effect, 0.7, replicates) == pytest.approx(tail, rel=1e-6)
    assert power_of(-effect, 0.7, replicates) == power_of(effect, 0.7, replicates)


def test_power_agrees_with_simulated_paired_t_tests() -> None:
    deltas = np.random.default_rng(1).normal(1.0, 0.8, (20_000, 5))
    found = stats.ttest_1samp(deltas, 0.0, axis=1).pvalue < 0.05
    assert power_of(1.0, 0.8, 5) == pytest.approx(found.mean(), abs=0.015)


@pytest.mark.parametrize("replicates", [3, 5, 30])
@pytest.mark.parametrize("alpha", [0.05, 1e-3, 1e-5])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.99])
def test_the_detectable_effect_has_the_power_that_was_asked_for(replicates: int, alpha: float, power: float) -> None:
    effect = detectable(2.0, replicates, alpha, power)
    assert effect is not None
    assert power_of(effect, 2.0, replicates, alpha) == pytest.approx(power, abs=1e-6)


def test_it_scales_with_the_spread_and_falls_with_replicates() -> None:
    assert detectable(3.0, 5) == pytest.approx(3 * (detectable(1.0, 5) or 0), rel=1e-9)
    effects = [detectable(1.0, replicates) or 0 for replicates in range(3, 40)]
    assert effects == sorted(effects, reverse=True)
    assert len(set(effects)) == len(effects)


@pytest.mark.parametrize("replicates", [1, 2])
def test_below_three_replicates_nothing_is_promised(replicates: int) -> None:
    assert detectable(1.0, replicates) is None


def test_without_any_spread_every_effect_is_found() -> None:
    assert detectable(0.0, 5) == 0.0


@pytest.mark.parametrize(("sd", "replicates"), [(0.0, 5), (-1.0, 5), (float("nan"), 5), (1.0, 1), (1.0, 0)])
def test_power_of_nothing_is_refused(sd: float, replicates: int) -> None:
    with pytest.raises(ValueError, match="at least 2, and a positive sd"):
        power_of(1.0, sd, replicates)


NUM_STUDIES = 4000


def promised(num_contrasts: int, replicates: int, margin: float = 0.5, sd: float = 1.0, step: float = 0.0) -> Power:
    return power_of_study(
        sd, "", replicates=replicates, num_contrasts=num_contrasts, alpha=0.05, margin=margin, step=step
    )


def judged(means: list[float], replicates: int, margin: float, seed: int) -> np.ndarray:
    """(NUM_STUDIES, A) verdicts of the real rule, over normal deltas of sd 1 that share a baseline."""
    generator = np.random.default_rng(seed)
    arms = generator.normal(0, 0.5**0.5, (NUM_STUDIES, len(means), replicates))
    baseline = generator.normal(0, 0.5**0.5, (NUM_STUDIES, 1, replicates))
    return judge(np.asarray(means)[:, None] + arms - baseline, margin=margin).codes


@pytest.mark.parametrize("replicates", [4, 5, 14])
@pytest.mark.parametrize("num_contrasts", [1, 3, 7, 11])
def test_the_rule_finds_one_effect_among_the_contrasts_with_the_power_that_was_promised(
    num_contrasts: int, replicates: int
) -> None:
    effect = promised(num_contrasts, replicates).detectable
    assert effect is not None
    codes = judged([effect, *[0.0] * (num_contrasts - 1)], replicates, 0.01, seed=num_contrasts)[:, 0]
    assert 0.78 <= np.isin(codes, [BETTER, SMALL_DIFFERENCE]).mean() <= 0.84


@pytest.mark.parametrize(("num_contrasts", "replicates"), [(1, 5), (1, 14), (3, 14), (6, 14), (11, 20)])
def test_the_rule_calls_an_arm_without_effect_equivalent_as_often_as_was_promised(
    num_contrasts: int, replicates: int
) -> None:
    power = promised(num_contrasts, replicates, margin=1.0).equivalent
    codes = judged([0.0, *[5.0] * (num_contrasts - 1)], replicates, 1.0, seed=num_contrasts)[:, 0]
    found = np.isin(codes, [EQUIVALENT, SMALL_DIFFERENCE]).mean()
    assert found == pytest.approx(power, abs=0.025)


@pytest.mark.parametrize("num_contrasts", [1, 3, 11])
def test_as_many_replicates_as_the_plan_names_show_equivalence_and_one_less_does_not(num_contrasts: int) -> None:
    enough = promised(num_contrasts, 5, margin=0.8).enough
    assert enough is not None
    assert promised(num_contrasts, enough, margin=0.8).equivalent >= 0.8
    assert promised(num_contrasts, enough - 1, margin=0.8).equivalent < 0.8
    codes = judged([0.0, *[5.0] * (num_contrasts - 1)], enough, 0.8, seed=num_contrasts)[:, 0]
    assert 0.78 <= np.isin(codes, [EQUIVALENT, SMALL_DIFFERENCE]).mean() <= 0.84


def test_equivalence_costs_one_step_of_the_metric_as_the_verdict_has_it() -> None:
    assert equivalence_power(1.0, 20, 0.05, 0.8, 0.4) == pytest.approx(equivalence_power(1.0, 20, 0.05, 0.78), abs=1e-9)
    assert equivalence_power(1.0, 4, 0.05, 0.1, 0.4) == 0.0
    assert equivalence_power(1.0, 2, 0.05, 100.0) == 0.0
    assert equivalence_power(0.0, 3, 0.05, 0.1) == 1.0
    assert replicates_for_equivalence(1.0, 0.05, 0.001) is None


def test_the_spread_is_never_believed_to_be_below_one_step_of_the_metric() -> None:
    assert promised(1, 5, sd=0.01, step=0.25).sd == 0.25
    assert promised(1, 5, sd=0.01, step=0.25).detectable == detectable(0.25, 5)


@pytest.mark.parametrize("replicates", [1, 2, 3, 5, 8, 14, 20])
def test_boschloos_p_against_none_is_scipys(replicates: int) -> None:
    for failures in range(replicates + 1):
        table = [[failures, 0], [replicates - failures, replicates]]
        theirs = stats.boschloo_exact(table, alternative="two-sided").pvalue if failures else 1.0
        assert boschloo(failures, replicates) == pytest.approx(theirs, rel=1e-3)
    assert boschloo(replicates, replicates) == pytest.approx(2 * 0.25**replicates)


def test_beyond_sixty_replicates_the_p_is_bounded_from_above() -> None:
    theirs = stats.boschloo_exact([[9, 0], [71, 80]], alternative="two-sided").pvalue
    assert theirs <= boschloo(9, 80) <= 2 * theirs
    assert failures_needed(1000, 11) == 9


@pytest.mark.parametrize("replicates", [3, 4, 5, 8, 14])
@pytest.mark.parametrize("num_contrasts", [1, 3, 6, 11])
def test_so_many_failures_are_resolved_in_the_verdicts_family_and_one_less_is_not(
    num_contrasts: int, replicates: int
) -> None:
    def resolved(failures: int) -> bool:
        table = [[failures, 0], [replicates - failures, replicates]]
        tested = num_contrasts if replicates - failures >= 3 else num_contrasts - 1
        return bool(holm([stats.boschloo_exact(table).pvalue, *[1.0] * tested])[0] < 0.05)

    found = failures_needed(replicates, num_contrasts)
    assert found == next((k for k in range(1, replicates + 1) if resolved(k)), None)


def test_the_failure_rate_of_a_plan_has_the_power_that_was_promised() -> None:
    power = promised(6, 14)
    assert power.failures is not None
    assert power.failure_rate is not None
    assert stats.binom.sf(power.failures - 1, 14, power.failure_rate) == pytest.approx(0.8, abs=1e-6)
    assert rate_found(5, 5) == pytest.approx(0.8**0.2, abs=1e-6)


@pytest.mark.parametrize(("replicates", "num_contrasts"), [(2, 1), (3, 3), (1, 1), (4, 11)])
def test_where_no_number_of_failures_can_be_resolved_the_plan_knows_it(replicates: int, num_contrasts: int) -> None:
    power = promised(num_contrasts, replicates)
    assert (power.failures, power.failure_rate) == (None, None)


def test_a_step_makes_a_study_need_more_replicates_for_equivalence() -> None:
    plain, coarse = promised(1, 5, margin=0.8), promised(1, 5, margin=0.8, step=0.5)
    assert (plain.enough, coarse.enough) == (
        replicates_for_equivalence(1.0, 0.05, 0.8),
        replicates_for_equivalence(1.0, 0.05, 0.8, 0.5),
    )
    assert plain.enough is not None
    assert coarse.enough is not None
    assert coarse.enough > plain.enough
    assert equivalence_power(1.0, coarse.enough, 0.05, 0.8, 0.5) >= 0.8
    assert equivalence_power(1.0, coarse.enough - 1, 0.05, 0.8, 0.5) < 0.8


@pytest.mark.parametrize("power", [0.5, 0.95])
def test_the_fewest_replicates_have_the_power_that_was_asked_for(power: float) -> None:
    enough = replicates_for_equivalence(1.0, 0.05, 0.8, 0.1, power)
    assert enough is not None
    assert equivalence_power(1.0, enough, 0.05, 0.8, 0.1) >= power > equivalence_power(1.0, enough - 1, 0.05, 0.8, 0.1)
    rate = rate_found(3, 8, power)
    assert stats.binom.sf(2, 8, rate) == pytest.approx(power, abs=1e-6)


def test_three_replicates_are_enough_where_they_are_and_never_two() -> None:
    assert replicates_for_equivalence(0.01, 0.05, 0.8) == 3
    assert replicates_for_equivalence(0.4, 0.05, 0.8) == next(
        n for n in range(3, 99) if equivalence_power(0.4, n, 0.05, 0.8) >= 0.8
    )


def test_equivalence_is_promised_up_to_ten_thousand_replicates() -> None:
    # sd / margin = 33: (1.645 + 1.282)^2 33^2 = 9,326.
    found = replicates_for_equivalence(33.0, 0.05, 1.0)
    assert found == pytest.approx(9_326, rel=0.01)
    assert replicates_for_equivalence(60.0, 0.05, 1.0) is None


@pytest.mark.parametrize(("sd", "replicates", "margin", "alpha"), [(1.0, 3, 1.5, 0.05), (0.7, 8, 0.5, 0.01)])
def test_equivalence_power_is_owens_integral(sd: float, replicates: int, margin: float, alpha: float) -> None:
    df, t = replicates - 1, float(stats.t.isf(alpha, replicates - 1))

    def found(chi_square: float) -> float:
        s = sd * (chi_square / df) ** 0.5
        return max(2 * ndtr((margin * replicates**0.5 - t * s) / sd) - 1, 0.0) * stats.chi2.pdf(chi_square, df)

    power, _ = quad(found, 0, np.inf, limit=500)
    assert equivalence_power(sd, replicates, alpha, margin) == pytest.approx(power, abs=2e-4)


def test_a_study_promises_at_alpha_over_its_contrasts_and_at_alpha_without_any() -> None:
    seven = promised(7, 6, margin=1.5)
    assert seven.detectable == detectable(1.0, 6, 0.05 / 7)
    assert seven.equivalent == equivalence_power(1.0, 6, 0.05 / 7, 1.5)
    assert seven.enough == replicates_for_equivalence(1.0, 0.05 / 7, 1.5)
    assert seven.failures == failures_needed(6, 7, 0.05)
    assert promised(0, 6).detectable == promised(1, 6).detectable == detectable(1.0, 6, 0.05)


def test_the_defaults_are_five_percent_and_eighty() -> None:
    assert power_of(1.0, 1.0, 5) == power_of(1.0, 1.0, 5, 0.05)
    assert detectable(1.0, 5) == detectable(1.0, 5, 0.05, 0.8)
    assert failures_needed(6, 3) == failures_needed(6, 3, 0.05)
    assert rate_found(3, 8) == rate_found(3, 8, 0.8)
    assert replicates_for_equivalence(1.0, 0.05, 0.8) == replicates_for_equivalence(1.0, 0.05, 0.8, 0.0, 0.8)


def test_power_starts_at_two_replicates_and_nothing_is_known_of_one() -> None:
    assert 0 < power_of(1.0, 0.5, 2) < 1
    with pytest.raises(ValueError, match=r"power of 1 replicates with sd 0\.5"):
        power_of(1.0, 0.5, 1)
    assert failures_needed(0, 1) is None


def test_a_p_of_exactly_alpha_resolves_no_failures() -> None:
    p = boschloo(3, 3)
    assert p == pytest.approx(2 / 64)
    assert failures_needed(3, 1, alpha=p) is None
    assert failures_needed(3, 1, alpha=float(np.nextafter(p, 1))) == 3
    # With no pair left its own quality test is not in the family: two contrasts make two tests, not three.
    assert failures_needed(3, 2, alpha=2 * p) is None
    assert failures_needed(3, 2, alpha=float(np.nextafter(2 * p, 1))) == 3


def test_beyond_sixty_replicates_fishers_p_stands_for_boschloos_and_is_above_it() -> None:
    assert boschloo(6, 61) == pytest.approx(stats.fisher_exact([[6, 0], [55, 61]]).pvalue)
    assert boschloo(6, 60) < stats.fisher_exact([[6, 0], [54, 60]]).pvalue
    assert boschloo(0, 5) == boschloo(0, 61) == 1.0


def test_failures_on_one_side_are_boschloos_table_of_the_rule() -> None:
    for replicates in (1, 2, 4, 9):
        for failures in range(1, replicates + 1):
            assert boschloo(failures, replicates) == pytest.approx(
                float(boschloo_table(replicates)[failures, 0]), rel=1e-4
            )


def test_a_contrast_pays_for_its_own_quality_test_from_three_surviving_pairs_on() -> None:
    for replicates, failures, tests in ((5, 3, 2), (6, 3, 3)):
        p = boschloo(failures, replicates)
        assert failures_needed(replicates, 2, alpha=tests * p * (1 - 1e-6)) != failures
        assert failures_needed(replicates, 2, alpha=tests * p * (1 + 1e-6)) == failures


@pytest.mark.parametrize(("sd", "enough"), [(34.1684, 10_000), (34.1698, None), (35.0, None), (33.0, 9_328)])
def test_ten_thousand_replicates_for_equivalence_are_the_most_that_are_named(sd: float, enough: int | None) -> None:
    """Near them (1.645 + 1.282)^2 sd^2 / margin^2, plus two."""
    assert replicates_for_equivalence(sd, 0.05, 1.0) == enough


def test_a_margin_that_one_step_takes_whole_shows_nothing_even_without_any_spread() -> None:
    assert equivalence_power(0.0, 3, 0.05, 0.5, 1.5) == 0.0, "0.5 less 1.5 / 3 is nothing"
    assert equivalence_power(0.0, 3, 0.05, 0.5, 5.0) == 0.0
    assert equivalence_power(0.0, 3, 0.05, 0.5, 1.4) == 1.0
    assert equivalence_power(0.0, 2, 0.05, 0.5) == equivalence_power(0.0, 0, 0.05, 0.5) == 0.0, "no verdict below three"


def test_the_integral_is_a_mean_over_the_midpoints_of_2000_equal_shares() -> None:
    """By scipy.stats: a chi square's quantiles, each with the chance that both one-sided tests reject."""
    spread = (stats.chi2.isf((np.arange(2000) + 0.5) / 2000, 5) / 5) ** 0.5
    width = 0.5 / 0.6 * 6**0.5 - stats.t.isf(0.05, 5) * spread
    expected = np.maximum(2 * stats.norm.cdf(width) - 1, 0).mean()
    assert equivalence_power(0.6, 6, 0.05, 0.5) == pytest.approx(expected, rel=1e-9)


def test_the_worst_common_rate_of_one_sided_failures_is_sought_at_512ths() -> None:
    """4 of 5 against 0: the tables whose Fisher p is at most that one's, at the rate that makes them likeliest."""
    n, counts = 5, np.arange(6)
    fisher = np.array(
        [[stats.fisher_exact([[a, b], [n - a, n - b]], alternative="greater").pvalue for b in counts] for a in counts]
    )
    masses = [stats.binom.pmf(counts, n, k / 512) for k in range(513)]
    worst = max(float((np.outer(mass, mass) * (fisher <= fisher[4, 0] * (1 + 1e-7))).sum()) for mass in masses)
    assert boschloo(4, 5) == pytest.approx(2 * worst, rel=1e-12)
