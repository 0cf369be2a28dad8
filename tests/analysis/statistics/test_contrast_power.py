"""Replicates that a contrast would need, against statsmodels and simulation."""

from math import inf

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from paribus.analysis.statistics.equivalence import tost_p
from paribus.analysis.statistics.intervals import moments
from paribus.analysis.statistics.power import equivalence_power, replicates_to_resolve, superiority_power
from paribus.study.power import power_of


@pytest.mark.parametrize("n", [3, 5, 10, 40])
def test_superiority_power_is_statsmodels(n: int) -> None:
    expected = TTestPower().power(0.8, n, 0.025, alternative="larger")
    assert float(superiority_power(0.4, 0.5, n)) == pytest.approx(expected, abs=2e-4)


def test_equivalence_power_is_what_simulation_gives(rng: np.random.Generator) -> None:
    for n, sd in ((5, 0.2), (10, 0.4), (20, 0.6)):
        found = (tost_p(moments(rng.normal(0.1, sd, (40_000, n))), 0.5) < 0.05).mean()
        assert float(equivalence_power(0.1, sd, 0.5, n)) == pytest.approx(found, abs=0.01)


def test_replicates_to_resolve_reach_the_power_and_one_fewer_does_not() -> None:
    for effect, sd in ((0.8, 1.0), (0.0, 0.7), (0.2, 0.5), (-0.9, 0.9)):
        n = replicates_to_resolve(effect, sd, 0.5, 0.05)

        def power(pairs: float, effect: float = effect, sd: float = sd) -> float:
            same = float(equivalence_power(effect, sd, 0.5, pairs)) if abs(effect) < 0.5 else 0.0
            return max(float(superiority_power(effect, sd, pairs)), same)

        assert power(n) >= 0.8 > power(n - 1)


def test_an_effect_at_the_margin_is_resolved_as_a_difference_and_a_hopeless_one_never() -> None:
    assert replicates_to_resolve(0.5, 1.0, 0.5, 0.05) == pairs_by_statsmodels(0.5)
    assert replicates_to_resolve(0.0, 100.0, 0.5, 0.05) == inf


def pairs_by_statsmodels(effect: float) -> int:
    return int(np.ceil(TTestPower().solve_power(effect_size=effect, alpha=0.05, power=0.8)))


def test_replicates_to_resolve_are_at_the_levels_of_difference_and_of_equivalence() -> None:
    """Each of the two by itself, one fewer not enough; the fewest of both where either would do."""
    for alpha, alpha_equivalence, power in ((0.05, 0.05, 0.8), (0.01, 0.05, 0.8), (0.05, 0.005, 0.9)):
        different = first(lambda n, a=alpha, p=power: superiority_power(0.4, 0.6, n, a) >= p)
        same = first(lambda n, a=alpha_equivalence, p=power: equivalence_power(0.1, 0.6, 0.5, n, a) >= p)
        assert replicates_to_resolve(0.4, 0.6, 0.4, alpha, power, alpha_equivalence) == different, "at the margin"
        found = replicates_to_resolve(0.1, 0.6, 0.5, alpha, power, alpha_equivalence)
        assert found == same < first(lambda n, a=alpha, p=power: superiority_power(0.1, 0.6, n, a) >= p)
        assert replicates_to_resolve(-0.1, 0.6, 0.5, alpha, power, alpha_equivalence) == same
    assert replicates_to_resolve(0.1, 0.6, 0.5, 0.01) == first(
        lambda n: equivalence_power(0.1, 0.6, 0.5, n, 0.01) >= 0.8
    ), "one level for both unless another is given"


def first(enough) -> int:
    return next(n for n in range(3, 3000) if enough(n))


def test_three_pairs_are_the_fewest_and_ten_thousand_the_most() -> None:
    assert replicates_to_resolve(50.0, 0.5, 0.5, 0.05) == 3
    n = replicates_to_resolve(0.03, 1.0, 0.001, 0.05)
    assert n == pytest.approx(7.849 / 0.03**2, rel=0.002), "the normal approximation: (1.96 + 0.84)^2 sd^2 / effect^2"
    assert replicates_to_resolve(0.028, 1.0, 0.001, 0.05) == inf, "10,011 by the same"
    for effect, needed in ((0.0280193, 10_000), (0.0280178, 10_001)):
        assert power_of(effect, 1.0, needed, 0.05) >= 0.8 > power_of(effect, 1.0, needed - 1, 0.05)
        assert replicates_to_resolve(effect, 1.0, 0.001, 0.05) == (needed if needed == 10_000 else inf)


@pytest.mark.parametrize(("effect", "n", "alpha"), [(0.0, 3, 0.05), (0.2, 5, 0.05), (-0.2, 5, 0.01), (0.45, 30, 0.05)])
def test_equivalence_power_is_the_difference_of_two_noncentral_tails(effect: float, n: int, alpha: float) -> None:
    scale, critical = n**0.5 / 0.2, stats.t.ppf(1 - alpha, n - 1)
    upper = stats.nct.sf(critical, n - 1, (0.5 - abs(effect)) * scale)
    lower = stats.nct.cdf(critical, n - 1, (0.5 + abs(effect)) * scale)
    assert float(equivalence_power(effect, 0.2, 0.5, n, alpha)) == pytest.approx(max(upper - lower, 0), abs=1e-7)


def test_powers_are_at_five_percent_unless_told_and_in_the_shape_of_n() -> None:
    assert float(superiority_power(0.4, 0.5, 6)) == float(superiority_power(0.4, 0.5, 6, 0.05))
    assert float(equivalence_power(0.1, 0.2, 0.5, 6)) == float(equivalence_power(0.1, 0.2, 0.5, 6, 0.05))
    assert superiority_power(0.4, 0.5, [4, 8]).tolist() == [power_of(0.4, 0.5, 4), power_of(0.4, 0.5, 8)]
    assert float(equivalence_power(0.0, 50.0, 0.5, 5)) == 0.0, "never below 0"
