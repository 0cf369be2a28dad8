"""Boschloo's test against scipy's, and how many replicates settle a difference in failures."""

from math import inf

import numpy as np
import pytest
from scipy.stats import binom, boschloo_exact, fisher_exact, norm

from paribus.analysis.statistics.boschloo import (
    _worst_case,
    boschloo,
    boschloo_power,
    boschloo_table,
    replicates_to_settle,
)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 14, 20])
def test_the_table_is_scipys_boschloo_exact(n: int, rng: np.random.Generator) -> None:
    table = boschloo_table(n)
    for first, second in {(n, 0), (n // 2, 0), *((int(a), int(b)) for a, b in rng.integers(0, n + 1, (4, 2)))}:
        if 0 < first + second < 2 * n:  # scipy has nan where both are 0
            expected = boschloo_exact([[first, second], [n - first, n - second]], n=64).pvalue
            assert table[first, second] == pytest.approx(expected, rel=1e-5)


def test_five_of_five_against_none_is_one_in_512() -> None:
    assert float(boschloo(5, 0, 5)) == pytest.approx(2 * 0.5**10)
    assert float(boschloo(8, 0, 8)) == pytest.approx(2 * 0.5**16)


def test_equal_counts_and_no_replicates_say_nothing() -> None:
    assert boschloo([0, 3, 5, 0], [0, 3, 5, 0], [5, 5, 5, 0]).tolist() == pytest.approx([1.0, 1.0, 1.0, 1.0])


def test_the_sides_and_the_outcomes_can_be_exchanged() -> None:
    table = boschloo_table(9)
    assert np.allclose(table, table.T)
    assert np.allclose(table, table[::-1, ::-1])


def test_each_contrast_is_judged_by_its_own_number_of_replicates() -> None:
    found = boschloo([[5, 5], [0, 8]], [[0, 0], [0, 0]], [[5, 10], [3, 8]])
    alone = [[float(boschloo(5, 0, 5)), float(boschloo(5, 0, 10))], [1.0, float(boschloo(8, 0, 8))]]
    assert found == pytest.approx(np.array(alone))


def test_type_one_error_is_at_most_the_level_at_every_common_failure_rate() -> None:
    for n in (3, 5, 8, 14, 20):
        rejected = boschloo_table(n) < 0.05
        for rate in np.linspace(0.02, 0.98, 49):
            mass = np.array([float(np.exp(_log_binomial(n, k, rate))) for k in range(n + 1)])
            assert (np.outer(mass, mass) * rejected).sum() <= 0.05


def _log_binomial(n: int, k: int, rate: float) -> float:
    from math import lgamma, log

    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(rate) + (n - k) * log(1 - rate)


def test_power_is_what_simulation_gives_and_what_the_rule_is_documented_with(rng: np.random.Generator) -> None:
    assert boschloo_power(0.6, 0.0, 8, 0.05) == pytest.approx(0.83, abs=0.01)
    first, second = rng.binomial(10, 0.7, 20_000), rng.binomial(10, 0.2, 20_000)
    found = ((boschloo(first, second, 10) < 0.01) & (first > second)).mean()
    assert boschloo_power(0.7, 0.2, 10, 0.01) == pytest.approx(found, abs=0.01)


def test_replicates_to_settle_reach_the_power_and_one_fewer_does_not() -> None:
    for rate, other, alpha in ((1.0, 0.0, 0.05 / 12), (0.5, 0.0, 0.01), (0.8, 0.3, 0.05), (0.0, 0.6, 0.05)):
        n = int(replicates_to_settle(rate, other, alpha))
        assert boschloo_power(rate, other, n, alpha) >= 0.8 > boschloo_power(rate, other, n - 1, alpha)


def test_a_small_difference_takes_many_and_none_is_never_settled() -> None:
    assert 60 < replicates_to_settle(0.1, 0.02, 0.05) < 300
    assert replicates_to_settle(0.3, 0.3, 0.05) == inf
    assert replicates_to_settle(0.300, 0.301, 0.05) == inf


def test_a_table_without_replicates_raises() -> None:
    with pytest.raises(ValueError, match="at least one replicate"):
        boschloo_table(0)


@pytest.mark.parametrize("power", [0.5, 0.9])
def test_replicates_to_settle_are_for_the_power_that_was_asked_for_on_either_side(power: float) -> None:
    for rate, other in ((0.7, 0.1), (0.1, 0.7)):
        n = int(replicates_to_settle(rate, other, 0.05, power))
        assert boschloo_power(rate, other, n, 0.05) >= power > boschloo_power(rate, other, n - 1, 0.05)
    assert replicates_to_settle(1.0, 0.0, 0.05) == 3, "3 of 3 against 0 is p = 2 / 64"
    assert replicates_to_settle(1.0, 0.0, 0.01) == 4, "4 of 4 against 0 is p = 2 / 256"


def test_beyond_sixty_replicates_the_need_is_cohens_by_the_arcsine() -> None:
    for rate, other, power in ((0.3, 0.15, 0.8), (0.15, 0.3, 0.8), (0.1, 0.02, 0.9)):
        h = 2 * abs(np.arcsin(rate**0.5) - np.arcsin(other**0.5))
        expected = np.ceil(2 * ((norm.isf(0.025) + norm.ppf(power)) / h) ** 2)
        assert expected > 60
        assert replicates_to_settle(rate, other, 0.05, power) == expected


def test_ten_thousand_replicates_are_the_most_that_are_named() -> None:
    assert 9_000 < replicates_to_settle(0.5, 0.5206, 0.05) <= 10_000
    assert replicates_to_settle(0.5, 0.519, 0.05) == inf


def test_power_counts_rejections_on_the_true_side_alone() -> None:
    assert boschloo_power(0.5, 0.5, 8, 0.05) == pytest.approx(boschloo_power(0.5, 0.5000001, 8, 0.05), abs=1e-5)
    rejected = boschloo_table(4) < 0.5
    counts = np.arange(5)
    mass, other = (binom.pmf(counts, 4, rate) for rate in (0.6, 0.3))
    for sides, larger in (((0.6, 0.3), counts[:, None] > counts), ((0.3, 0.6), counts[:, None] < counts)):
        joint = np.outer(mass, other) if sides == (0.6, 0.3) else np.outer(other, mass)
        assert boschloo_power(*sides, 4, 0.5) == pytest.approx((joint * rejected * larger).sum())
    at = float(boschloo_table(4)[4, 0])
    assert boschloo_power(1.0, 0.0, 4, at) == 0.0, "a p of exactly alpha is not below it"
    assert boschloo_power(1.0, 0.0, 4, np.nextafter(at, 1)) == pytest.approx(1.0)


def test_one_replicate_is_the_least_and_its_table_says_next_to_nothing() -> None:
    assert boschloo_table(1) == pytest.approx(np.array([[1.0, 0.5], [0.5, 1.0]]))
    assert float(boschloo(1, 0, 1)) == 0.5


def test_one_replicate_is_enough_where_it_settles() -> None:
    assert replicates_to_settle(1.0, 0.0, 0.6) == 1, "1 of 1 against 0 is p = 0.5"
    assert replicates_to_settle(1.0, 0.0, 0.5) == 2, "and 0.5 is not below 0.5"


@pytest.mark.parametrize(("rate", "other", "alpha"), [(0.95, 0.05, 0.05), (0.9, 0.1, 0.01), (0.6, 0.05, 0.05)])
def test_the_need_is_the_last_of_those_from_which_on_one_fewer_is_not_enough(rate, other, alpha: float) -> None:
    h = 2 * abs(np.arcsin(rate**0.5) - np.arcsin(other**0.5))
    n = int(np.ceil(2 * ((norm.isf(alpha / 2) + norm.ppf(0.8)) / h) ** 2))
    while boschloo_power(rate, other, n, alpha) < 0.8:
        n += 1
    while boschloo_power(rate, other, n - 1, alpha) >= 0.8:
        n -= 1
    assert replicates_to_settle(rate, other, alpha) == n


@pytest.mark.parametrize(("first", "second"), [(2, 0), (3, 0), (4, 1)])
def test_the_worst_rate_is_sought_at_1024_rates_from_1_in_2048_to_a_half(first: int, second: int) -> None:
    """By scipy's Fisher test and binomial masses; one rate more or fewer changes the seventh digit."""
    n = 5
    counts = np.arange(n + 1)
    fisher = np.array(
        [[fisher_exact([[a, b], [n - a, n - b]], alternative="greater").pvalue for b in counts] for a in counts]
    )
    extreme = fisher <= fisher[first, second] * (1 + 1e-9)
    masses = [binom.pmf(counts, n, k / 2048) for k in range(1, 1025)]
    expected = 2 * max(float((np.outer(mass, mass) * extreme).sum()) for mass in masses)
    assert boschloo_table(n)[first, second] == pytest.approx(expected, rel=1e-12)


def test_tables_whose_p_underflows_are_extreme_together() -> None:
    statistic = np.array([[1.0, 0.9, 0.5], [0.9, 0.5, 0.2], [0.5, 0.0, 0.0]])
    found = _worst_case(2, statistic)
    assert found[2, 1] == found[2, 2] < found[1, 2] < found[0, 0]


@pytest.mark.parametrize(
    ("rate", "other", "needed"), [(0.3, 0.1, 63), (0.435, 0.2, 62), (0.297, 0.1, 61), (0.433, 0.2, 61)]
)
def test_needs_of_about_60_replicates_are_exact_and_those_of_61_are_cohens(rate, other, needed: int) -> None:
    assert replicates_to_settle(rate, other, 0.05) == needed


def test_ten_thousand_replicates_are_told_and_ten_thousand_and_one_are_not() -> None:
    h = [2 * (np.arcsin(rate**0.5) - np.arcsin(0.5**0.5)) for rate in (0.519806, 0.519805)]
    assert [np.ceil(2 * ((norm.isf(0.025) + norm.ppf(0.8)) / each) ** 2) for each in h] == [10_000, 10_001]
    assert replicates_to_settle(0.519806, 0.5, 0.05) == 10_000
    assert replicates_to_settle(0.519805, 0.5, 0.05) == inf


@pytest.mark.parametrize("power", [0.99, 0.999, 0.9999])
def test_a_need_below_the_approximate_one_is_found(power: float) -> None:
    """1 of 1 against 0 is p = 0.5, which no chance keeps from it; Cohen's formula says 2, 3 and 4."""
    assert replicates_to_settle(1.0, 0.0, 0.55, power) == 1
