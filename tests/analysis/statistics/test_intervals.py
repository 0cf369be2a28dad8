"""Intervals of a mean: closed forms, scipy, and coverage."""

import numpy as np
import pytest
from scipy import special, stats

from paribus.analysis.statistics.equivalence import superiority_p, tost_p
from paribus.analysis.statistics.intervals import (
    Interval,
    bootstrap_interval,
    hedges_g,
    moments,
    t_half_width,
    t_interval,
)
from paribus.analysis.statistics.simultaneous import critical_value

DELTAS = np.array([0.4, 0.9, -0.2, 0.7, 0.3])


def test_the_t_interval_is_scipys() -> None:
    expected = stats.ttest_1samp(DELTAS, 0.0).confidence_interval(0.95)
    found = t_interval(DELTAS)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_missing_pairs_are_left_out() -> None:
    assert t_interval([*DELTAS, np.nan]) == t_interval(DELTAS)


def test_p_values_are_those_of_scipy_and_statsmodels(rng: np.random.Generator) -> None:
    from statsmodels.stats.weightstats import ttost_paired

    arm, baseline = rng.normal(90.3, 1, 7), rng.normal(90, 1, 7)
    found = moments(arm - baseline)
    assert float(superiority_p(found)) == pytest.approx(stats.ttest_rel(arm, baseline).pvalue)
    for margin in (0.2, 0.5, 2.0):
        assert float(tost_p(found, margin)) == pytest.approx(ttost_paired(arm, baseline, -margin, margin)[0])


def test_equivalence_on_counts_gives_one_example_in_one_replicate_away() -> None:
    found = moments(DELTAS)
    shifted = moments(DELTAS + 0.25 / 5)
    assert float(tost_p(found, 0.5, 0.25)) == pytest.approx(float(tost_p(shifted, 0.5)))


def test_the_sd_is_never_below_one_evaluation_example() -> None:
    assert float(moments([0.25, 0.25, 0.25], 0.25).sd) == 0.25
    assert float(moments(DELTAS, 0.25).sd) == pytest.approx(DELTAS.std(ddof=1))


def test_identical_deltas_of_a_continuous_metric_bear_no_interval_and_no_p() -> None:
    # 98.5 - 98.25 and 98.75 - 98.5 differ in the last bits; that is no spread.
    found = moments([98.5 - 98.2, 98.8 - 98.5, 98.3 - 98.0])
    assert np.isnan(found.sd)
    assert float(superiority_p(found)) == float(tost_p(found, 0.5)) == 1.0
    assert t_interval([0.3, 0.3, 0.3]) is None
    assert bootstrap_interval([0.3] * 6, seed=1) is None


@pytest.mark.parametrize("deltas", [[], [0.3], [0.3, 0.4], [np.nan] * 5])
def test_below_three_pairs_there_is_no_interval_and_no_p(deltas: list[float]) -> None:
    found = moments(np.array(deltas, dtype=float))
    assert t_interval(deltas) is None
    assert float(superiority_p(found)) == float(tost_p(found, 0.5)) == 1.0


def test_hedges_correction_is_exact() -> None:
    # Hedges (1981), the usual approximation 1 - 3 / (4 df - 1) is right to 0.001 at df = 9.
    effect = float(hedges_g(1.0, 1.0, 10))
    assert effect == pytest.approx(1 - 3 / (4 * 9 - 1), abs=1e-3)
    assert effect == pytest.approx(special.gamma(4.5) / (np.sqrt(4.5) * special.gamma(4)))
    assert np.isnan(hedges_g(1.0, 1.0, 2))


def test_coverage_of_the_95_percent_t_interval_is_94_to_96_percent(rng: np.random.Generator) -> None:
    for num_replicates in (3, 5, 10, 20):
        found = moments(rng.normal(0.3, 1.2, (40_000, num_replicates)))
        covered = np.abs(found.mean - 0.3) <= t_half_width(found)
        assert 0.945 < covered.mean() < 0.955


def test_coverage_of_the_studentised_bootstrap(rng: np.random.Generator) -> None:
    intervals = [bootstrap_interval(rng.normal(0.3, 1.2, 10), seed=i, num_resamples=999) for i in range(4000)]
    covered = np.mean([interval is not None and interval.low <= 0.3 <= interval.high for interval in intervals])
    assert 0.94 < covered < 0.96


def test_the_bootstrap_starts_at_five_pairs_and_is_reproducible() -> None:
    assert bootstrap_interval(DELTAS[:4], seed=1) is None
    assert (
        bootstrap_interval(DELTAS, seed=1) == bootstrap_interval(DELTAS, seed=1) != bootstrap_interval(DELTAS, seed=2)
    )


def test_the_global_generator_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()
    bootstrap_interval(DELTAS, seed=1)
    critical_value(2, 4)
    assert np.array_equal(before, np.random.get_state()[1])


def test_one_contrast_needs_no_simultaneous_correction() -> None:
    assert critical_value(1, 5) == pytest.approx(stats.t.ppf(0.975, 4))


@pytest.mark.parametrize(("contrasts", "replicates"), [(3, 3), (3, 5), (7, 10), (15, 20)])
def test_simultaneous_values_lie_between_one_t_and_sidaks(contrasts: int, replicates: int) -> None:
    sidak = stats.t.ppf(0.5 + 0.95 ** (1 / contrasts) / 2, replicates - 1)
    assert stats.t.ppf(0.975, replicates - 1) < critical_value(contrasts, replicates) < sidak


def test_simultaneous_values_approach_dunnetts_with_many_replicates() -> None:
    # Where the sds are as good as known, own and pooled sds agree: Dunnett's joint t at rho = 0.5.
    dunnett = stats.multivariate_t(np.zeros(3), 0.5 * (np.eye(3) + 1), df=3 * 199, seed=0)
    c = critical_value(3, 200)
    inside = dunnett.cdf([c] * 3, lower_limit=[-c] * 3)
    assert inside == pytest.approx(0.95, abs=0.003)


def test_simultaneous_intervals_cover_all_contrasts_at_once(rng: np.random.Generator) -> None:
    for contrasts, replicates in ((3, 5), (7, 3), (15, 10)):
        runs = rng.normal(0, 1, (10_000, contrasts + 1, replicates)) + rng.normal(0, 2, (10_000, 1, replicates))
        found = moments(runs[:, 1:] - runs[:, :1])
        covered = (np.abs(found.mean) <= critical_value(contrasts, replicates) * found.se).all(axis=1)
        assert 0.94 < covered.mean() < 0.96


def test_simultaneous_intervals_cover_when_some_arms_lost_replicates(rng: np.random.Generator) -> None:
    for sizes in ([8, 8, 8, 4, 8], [5, 3, 10, 20]):
        runs = rng.normal(0, 1, (10_000, len(sizes) + 1, max(sizes)))
        deltas = runs[:, 1:] - runs[:, :1]
        deltas[:, np.arange(max(sizes)) >= np.array(sizes)[:, None]] = np.nan
        found = moments(deltas)
        critical = [critical_value(len(sizes), n) for n in sizes]
        assert 0.94 < (np.abs(found.mean) <= critical * found.se).all(axis=1).mean() < 0.96


def test_simultaneous_values_need_three_replicates() -> None:
    with pytest.raises(ValueError, match=">= 3 replicates"):
        critical_value(3, 2)


def test_the_bootstrap_is_the_studentised_one_of_its_own_resamples() -> None:
    """Efron and Tibshirani (1993), section 12.5: mean - t* se, with the quantiles of t* exchanged."""
    for level, resolution in ((0.95, 0.0), (0.8, 0.5)):
        drawn = DELTAS[np.random.default_rng(3).integers(0, 5, (4000, 5))]
        sd = np.maximum(drawn.std(axis=1, ddof=1), resolution)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (drawn.mean(axis=1) - DELTAS.mean()) / (sd / np.sqrt(5))
        low, high = np.quantile(t[(sd > 1e-12) & np.isfinite(t)], [(1 - level) / 2, (1 + level) / 2])
        se = max(DELTAS.std(ddof=1), resolution) / np.sqrt(5)
        found = bootstrap_interval(DELTAS, seed=3, resolution=resolution, level=level)
        assert found is not None
        assert (found.low, found.high) == pytest.approx((DELTAS.mean() - high * se, DELTAS.mean() - low * se))
        assert found.level == level
        assert bootstrap_interval([*DELTAS, np.nan], seed=3, resolution=resolution, level=level) == found
    many = np.random.default_rng(1).normal(size=10)
    assert bootstrap_interval(many, seed=3) == bootstrap_interval(many, seed=3, num_resamples=4000)
    for other in (3999, 4001):
        assert bootstrap_interval(many, seed=3) != bootstrap_interval(many, seed=3, num_resamples=other)


@pytest.mark.parametrize(
    ("n", "t", "bootstrap"), [(2, False, False), (3, True, False), (4, True, False), (5, True, True)]
)
def test_three_pairs_have_a_t_interval_and_five_a_bootstrap_one(n: int, t: bool, bootstrap: bool) -> None:
    assert (t_interval(DELTAS[:n]) is not None) is t
    assert (bootstrap_interval(DELTAS[:n], seed=1) is not None) is bootstrap
    assert np.isnan(hedges_g(1.0, 1.0, n)) == (not t)
    assert (float(superiority_p(moments(DELTAS[:n]))) < 1) is t
    assert (float(tost_p(moments(DELTAS[:n]), 9.0)) < 1) is t


def test_moments_are_numpys_over_the_pairs_that_are_there() -> None:
    found = moments([[0.4, np.nan, 0.9, -0.2], [np.nan, np.nan, 0.7, np.nan], [np.nan] * 4])
    assert found.n.tolist() == [3, 1, 0]
    there = np.array([0.4, 0.9, -0.2])
    assert found.mean == pytest.approx([there.mean(), 0.7, np.nan], nan_ok=True)
    assert found.sd == pytest.approx([there.std(ddof=1), np.nan, np.nan], nan_ok=True)
    assert found.se == pytest.approx([there.std(ddof=1) / 3**0.5, np.nan, np.nan], nan_ok=True)
    assert float(moments([0.1, 0.3]).sd) == pytest.approx(0.2 / 2**0.5)


@pytest.mark.parametrize(("spread", "seen"), [(1e-10, False), (1e-6, True)])
def test_a_spread_of_rounding_errors_is_none_and_one_of_a_millionth_is(spread: float, seen: bool) -> None:
    assert np.isfinite(moments([90.0, 90.0 + spread, 90.0 - spread]).sd) == seen
    assert np.isfinite(moments([1.0, 1.0 + 1e-8, 1.0 - 1e-8]).sd), "the bound is relative to the deltas"
    assert np.isfinite(moments([0.0, 2e-12, -2e-12]).sd)
    assert not np.isfinite(moments([0.0, 5e-13, -5e-13]).sd)


def test_the_standardised_effect_is_hedges_at_three_pairs_and_takes_the_mean_over_the_sd() -> None:
    # Two degrees of freedom: gamma(1) / (sqrt(1) gamma(1 / 2)).
    assert float(hedges_g(3.0, 2.0, 3)) == pytest.approx(1.5 / np.sqrt(np.pi))
    assert float(hedges_g(-3.0, 2.0, 3)) == pytest.approx(-1.5 / np.sqrt(np.pi))


def test_a_t_interval_has_the_level_and_the_floor_that_were_asked_for() -> None:
    found = t_interval(DELTAS, level=0.8)
    expected = stats.ttest_1samp(DELTAS, 0.0).confidence_interval(0.8)
    assert found is not None
    assert (found.low, found.high, found.level) == pytest.approx((expected.low, expected.high, 0.8))
    assert found.half_width == pytest.approx((expected.high - expected.low) / 2)
    floored = t_interval([0.5, 0.5, 0.5], resolution=0.25)
    assert floored is not None
    assert floored.half_width == pytest.approx(stats.t.ppf(0.975, 2) * 0.25 / 3**0.5)


def test_equivalence_has_the_margin_on_both_sides_and_no_p_without_spread() -> None:
    above, below = moments(DELTAS), moments(-DELTAS)
    assert float(tost_p(above, 0.6)) == float(tost_p(below, 0.6))
    expected = stats.ttest_1samp(DELTAS, 0.6, alternative="less").pvalue
    assert float(tost_p(above, 0.6)) == pytest.approx(expected)
    assert float(superiority_p(above)) == float(superiority_p(below))
    assert superiority_p(moments([[0.5] * 3, [0.5, 0.6, 0.7]]))[0] == 1.0


def test_simultaneous_values_are_the_quantile_at_their_level_and_grow_with_contrasts() -> None:
    assert critical_value(1, 6, 0.8) == pytest.approx(stats.t.ppf(0.9, 5))
    assert critical_value(1, 3) == pytest.approx(stats.t.ppf(0.975, 2))
    assert critical_value(2, 6, 0.8) < critical_value(2, 6, 0.95) < critical_value(3, 6, 0.95)
    rng = np.random.default_rng(5)
    runs = rng.standard_normal((40_000, 3, 6))
    found = moments(runs[:, 1:] - runs[:, :1])
    inside = (np.abs(found.mean) <= critical_value(2, 6, 0.8) * found.se).all(axis=1)
    assert inside.mean() == pytest.approx(0.8, abs=0.008)


def test_an_interval_covers_training_chance_unless_told() -> None:
    assert Interval(low=0.0, high=1.0, level=0.9).covers == "training chance"


def test_one_pair_has_no_spread_even_where_the_metrics_step_is_known() -> None:
    found = moments([5.0], 1.0)
    assert (int(found.n), float(found.mean)) == (1, 5.0)
    assert np.isnan(found.sd)
    assert np.isnan(found.se)


def test_rounding_is_judged_by_each_contrasts_own_numbers_and_by_their_size() -> None:
    found = moments([[1e9, 1e9 + 10, 1e9 - 10], [0.0, 1e-3, -1e-3]])
    assert found.sd.tolist() == pytest.approx([10.0, 1e-3])
    assert np.isnan(moments([-1e6, -1e6 - 1e-4, -1e6 + 1e-4]).sd), "ten equal digits are no spread, below 0 as above"
