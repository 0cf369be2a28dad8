"""Replicates that a contrast would need, against statsmodels and simulation."""

from math import inf

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from paribus.analysis.equivalence import tost_p
from paribus.analysis.intervals import moments
from paribus.analysis.power import equivalence_power, replicates_to_resolve, superiority_power


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
