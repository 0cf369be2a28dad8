"""The pairing report: closed form, coverage, and honesty about degrees of freedom."""

import numpy as np
import pytest
from scipy import stats

from paribus.analysis.statistics.intervals import Interval
from paribus.analysis.statistics.pairing import Pairing, pairing_of


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


@pytest.mark.parametrize(("arms", "replicates", "level"), [(2, 3, 0.95), (3, 8, 0.95), (4, 6, 0.8)])
def test_rho_and_its_interval_are_shrout_and_fleiss_icc_3_1(
    rng: np.random.Generator, arms: int, replicates: int, level: float
) -> None:
    runs = rng.normal(size=(arms, replicates)) + rng.normal(size=(1, replicates))
    total = ((runs - runs.mean()) ** 2).sum()
    of_blocks = arms * ((runs.mean(axis=0) - runs.mean()) ** 2).sum()
    of_arms = replicates * ((runs.mean(axis=1) - runs.mean()) ** 2).sum()
    df_blocks, df_error = replicates - 1, (replicates - 1) * (arms - 1)
    between, error = of_blocks / df_blocks, (total - of_blocks - of_arms) / df_error
    tail = (1 - level) / 2
    low = between / error / stats.f.ppf(1 - tail, df_blocks, df_error)
    high = between / error * stats.f.ppf(1 - tail, df_error, df_blocks)
    found = pairing_of(runs, level)
    assert found is not None
    assert found.rho == pytest.approx((between - error) / (between + (arms - 1) * error))
    assert found.interval.low == pytest.approx((low - 1) / (low + arms - 1))
    assert found.interval.high == pytest.approx((high - 1) / (high + arms - 1))
    assert (found.num_arms, found.num_replicates, found.interval.level) == (arms, replicates, level)
    t_paired, t_unpaired = stats.t.ppf(0.5 + level / 2, df_blocks), stats.t.ppf(0.5 + level / 2, 2 * df_blocks)
    assert found.variance_ratio == pytest.approx(1 - found.rho)
    assert found.width_ratio == pytest.approx((1 - found.rho) ** 0.5 * t_paired / t_unpaired)


def sentence(width_ratio: float, low: float, high: float) -> str:
    interval = Interval(low=low, high=high, level=0.95)
    found = Pairing(
        num_arms=3, num_replicates=5, rho=0.5, interval=interval, variance_ratio=0.5, width_ratio=width_ratio
    )
    return found.sentence()


def test_the_sentence_says_narrowed_or_widened_by_how_much_and_whether_that_is_sure() -> None:
    assert sentence(0.8, 0.1, 0.9) == (
        "pairing: rho = 0.50 [0.10, 0.90] between 3 arms over 5 replicates, variance ratio 0.50; with the degrees of "
        "freedom that it costs, pairing narrowed the intervals by 20 %"
    )
    assert "pairing widened the intervals by 25 %; the interval holds 0, so" in sentence(1.25, -0.1, 0.9)
    assert "holds 0" not in sentence(1.25, -0.9, -0.1)
    assert "holds 0" in sentence(0.8, 0.0, 0.9)
    assert "holds 0" in sentence(0.8, -0.9, 0.0)
    assert "widened the intervals by 0 %" in sentence(1.0, 0.1, 0.9)
    assert "narrowed the intervals by 75 %" in sentence(0.25, 0.1, 0.9)


def test_arms_that_are_one_another_again_are_paired_by_1_and_those_without_spread_not_at_all() -> None:
    twice = pairing_of(np.array([[1.0, 2.0, 4.0]] * 2))
    assert twice is not None
    assert (twice.rho, twice.variance_ratio, twice.width_ratio) == (1.0, 0.0, 0.0)
    assert pairing_of(np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])) is None
