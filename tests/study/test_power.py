"""The smallest effect that a plan can detect, against statsmodels, scipy and simulation."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.special import ndtr
from statsmodels.stats.power import TTestPower

from paribus.study.power import DEFAULT_SD, detectable, power_of
from paribus.study.words import METRICS


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


def test_every_metric_has_a_spread_to_plan_with() -> None:
    assert set(DEFAULT_SD) == set(METRICS)
    assert all(sd > 0 for sd in DEFAULT_SD.values())
