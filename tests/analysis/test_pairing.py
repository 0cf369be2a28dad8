"""The pairing report: closed form, coverage, and honesty about degrees of freedom."""

import numpy as np
import pytest

from paribus.analysis.pairing import pairing_of


def test_one_minus_rho_is_the_variance_ratio_of_two_arms(rng: np.random.Generator) -> None:
    runs = rng.normal(0, 1, (2, 9)) + rng.normal(0, 1, (1, 9))
    found = pairing_of(runs)
    assert found is not None
    assert found.variance_ratio == pytest.approx((runs[1] - runs[0]).var(ddof=1) / runs.var(axis=1, ddof=1).sum())
    assert found.rho == pytest.approx(1 - found.variance_ratio)


def test_effects_of_arms_do_not_count_as_correlation(rng: np.random.Generator) -> None:
    runs = rng.normal(0, 1, (4, 9))
    plain, shifted = pairing_of(runs), pairing_of(runs + np.array([[0.0], [5.0], [9.0], [-3.0]]))
    assert plain is not None
    assert shifted is not None
    assert shifted.rho == pytest.approx(plain.rho)


@pytest.mark.parametrize("rho", [0.0, 0.7])
def test_the_interval_of_rho_covers_it(rng: np.random.Generator, rho: float) -> None:
    hits = []
    for _ in range(3000):
        found = pairing_of(np.sqrt(1 - rho) * rng.normal(size=(3, 8)) + np.sqrt(rho) * rng.normal(size=(1, 8)))
        assert found is not None
        hits.append(found.interval.low <= rho <= found.interval.high)
    assert np.mean(hits) == pytest.approx(0.95, abs=0.013)


def test_pairing_that_buys_nothing_is_said_to_cost(rng: np.random.Generator) -> None:
    found = pairing_of(np.array([[1.0, 2.0, 3.0, 2.0], [2.0, 1.0, 2.0, 3.0]]))
    assert found is not None
    assert found.width_ratio > 1
    assert "widened" in found.sentence()
    assert "nothing shows that paired seeds matter" in found.sentence()


def test_pairing_needs_two_arms_three_replicates_and_some_spread() -> None:
    assert pairing_of(np.ones((1, 5))) is None
    assert pairing_of(np.array([[1.0, 2.0], [2.0, 1.0]])) is None
    assert pairing_of(np.ones((3, 5))) is None
