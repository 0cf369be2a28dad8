"""False verdicts, counted over simulated studies that go through `judge`, the code that judges real ones.

A false verdict is `better` or `worse` where the true effect is 0 or of the other sign, or `equivalent` where it is at
least the margin. Each kind is held at 5 % family-wise. A simulated rate of S studies may exceed that by three standard
errors, 3 sqrt(0.05 x 0.95 / S): 0.7 points at 10,000 studies, 1.0 at 4,000.
"""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from paribus.analysis.statistics.power import equivalence_power, superiority_power
from paribus.analysis.statistics.stability import largest_excess
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, STABLER, UNSTABLE, WORSE, judge

ALPHA = 0.05
MARGIN = 0.5
NUM_STUDIES = {1: 10_000, 3: 6_000, 7: 4_000, 15: 4_000}
Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int, int], Floats], tuple[Floats, float]]


def _allowed(num_studies: int) -> float:
    return float(ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / num_studies))


def _effects(kind: str, num_contrasts: int) -> Floats:
    odd = np.arange(num_contrasts) % 2 == 1
    return {
        "all null": np.zeros(num_contrasts),
        "all at the margin": np.full(num_contrasts, MARGIN),
        "all at minus the margin": np.full(num_contrasts, -MARGIN),
        "half null, half at the margin": np.where(odd, 0.0, MARGIN),
    }[kind]


def _normal(sd: float, rho: float) -> Draw:
    """Runs of sd `sd` points whose arms correlate by `rho` over replicates; contrasts share the baseline's noise."""

    def draw(rng: np.random.Generator, shape: tuple[int, int, int], effects: Floats) -> tuple[Floats, float]:
        studies, contrasts, replicates = shape
        own = rng.standard_normal((studies, contrasts + 1, replicates))
        shared = rng.standard_normal((studies, 1, replicates))
        return _deltas(sd * (np.sqrt(1 - rho) * own + np.sqrt(rho) * shared), effects), 0.0

    return draw


def _heavy(rng: np.random.Generator, shape: tuple[int, int, int], effects: Floats) -> tuple[Floats, float]:
    studies, contrasts, replicates = shape
    return _deltas(0.2 * rng.standard_t(3, (studies, contrasts + 1, replicates)), effects), 0.0


def _outliers(rng: np.random.Generator, shape: tuple[int, int, int], effects: Floats) -> tuple[Floats, float]:
    studies, contrasts, replicates = shape
    noise = rng.standard_normal((studies, contrasts + 1, replicates))
    return _deltas(0.2 * noise * np.where(rng.random(noise.shape) < 0.1, 10, 1), effects), 0.0


def _binomial(num_eval: int, accuracy: float) -> Draw:
    def draw(rng: np.random.Generator, shape: tuple[int, int, int], effects: Floats) -> tuple[Floats, float]:
        studies, contrasts, replicates = shape
        p = np.clip(accuracy + np.append(0.0, effects) / 100, 0.0, 1.0)
        right = rng.binomial(num_eval, p[:, None], (studies, contrasts + 1, replicates))
        points = right * 100.0 / num_eval
        return points[:, 1:] - points[:, :1], 100 / num_eval

    return draw


def _deltas(runs: Floats, effects: Floats) -> Floats:
    return np.asarray(runs[:, 1:] + effects[:, None] - runs[:, :1])


DRAWS: dict[str, Draw] = {
    "normal, quiet": _normal(0.1, 0.0),
    "normal": _normal(0.3, 0.0),
    "normal, correlated arms": _normal(0.3, 0.8),
    "t with 3 degrees of freedom": _heavy,
    "one run in ten an outlier": _outliers,
    "397 examples, 98.5 %": _binomial(397, 0.985),
    "400 examples, saturated": _binomial(400, 0.995),
    "50,000 examples, 76 %": _binomial(50_000, 0.76),
}


@pytest.mark.parametrize("num_replicates", [3, 5, 10, 20])
@pytest.mark.parametrize("num_contrasts", [1, 3, 7, 15])
def test_false_verdicts_of_each_kind_are_at_most_5_percent_family_wise(num_contrasts: int, num_replicates: int) -> None:
    rng = np.random.default_rng([num_contrasts, num_replicates])
    studies = NUM_STUDIES[num_contrasts]
    too_many = {}
    for name, draw in DRAWS.items():
        for kind in ("all null", "all at the margin", "half null, half at the margin"):
            effects = _effects(kind, num_contrasts)
            deltas, resolution = draw(rng, (studies, num_contrasts, num_replicates), effects)
            codes = judge(deltas, margin=MARGIN, alpha=ALPHA, resolution=resolution).codes
            false_difference, false_equivalence = _false(codes, effects)
            worst = max(false_difference.mean(), false_equivalence.mean())
            if worst > _allowed(studies):
                too_many[name, kind] = worst
    assert not too_many


def _false(codes: NDArray[np.int8], effects: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    difference = ((codes == BETTER) & (effects <= 0)) | ((codes == WORSE) & (effects >= 0))
    equivalence = ((codes == EQUIVALENT) | (codes == SMALL_DIFFERENCE)) & (np.abs(effects) >= MARGIN)
    return difference.any(axis=1), equivalence.any(axis=1)


def test_the_error_rates_are_used_up_and_not_merely_kept() -> None:
    # A rule that never speaks would pass the tests above.
    rng = np.random.default_rng(1)
    draw = _normal(0.3, 0.0)
    null, _ = draw(rng, (20_000, 1, 10), np.zeros(1))
    edge, _ = draw(rng, (20_000, 1, 10), np.full(1, -MARGIN))
    assert 0.045 < _false(judge(null, margin=1e-9).codes, np.zeros(1))[0].mean() < 0.055
    assert 0.045 < _false(judge(edge, margin=MARGIN).codes, np.full(1, -MARGIN))[1].mean() < 0.055


def test_true_verdicts_are_found_at_the_power_that_theory_gives() -> None:
    rng = np.random.default_rng(2)
    deltas, _ = _normal(0.3, 0.0)(rng, (4_000, 3, 10), np.array([0.0, 1.0, -1.0]))
    codes = judge(deltas, margin=MARGIN).codes
    sd, each = 0.3 * 2**0.5, ALPHA / 3
    equivalent = np.isin(codes[:, 0], (EQUIVALENT, SMALL_DIFFERENCE)).mean()
    assert equivalent == pytest.approx(float(equivalence_power(0.0, sd, MARGIN, 10, each)), abs=0.03)
    assert equivalent > 0.5
    # Holm's steps give each of the two at least what Bonferroni would.
    least = float(superiority_power(1.0, sd, 10, each))
    assert (codes[:, 1] == BETTER).mean() > least - 0.01 > 0.95
    assert (codes[:, 2] == WORSE).mean() > least - 0.01


def _failures(
    rng: np.random.Generator, studies: int, rates: Floats, num_replicates: int, rho: float = 0.0
) -> NDArray[np.bool_]:
    """(studies, A + 1, R) failures at `rates` (A + 1,), baseline first; `rho` correlates them within a replicate."""
    own = rng.standard_normal((studies, rates.size, num_replicates))
    shared = rng.standard_normal((studies, 1, num_replicates))
    return np.asarray(np.sqrt(1 - rho) * own + np.sqrt(rho) * shared < special.ndtri(rates)[:, None])


def _judged(rng: np.random.Generator, failed: NDArray[np.bool_], margin: float = MARGIN) -> NDArray[np.int8]:
    """Codes (studies, A) where survivors of all arms are alike, with noise of 0.15 points a run."""
    runs = 0.15 * rng.standard_normal(failed.shape)
    arm, baseline = failed[:, 1:], np.broadcast_to(failed[:, :1], failed[:, 1:].shape)
    return judge(
        np.where(arm | baseline, np.nan, runs[:, 1:] - runs[:, :1]),
        margin=margin,
        arm_failed=arm.sum(axis=-1),
        baseline_failed=baseline.sum(axis=-1),
        ended=failed.shape[-1],
    ).codes


@pytest.mark.parametrize("rho", [0.0, 0.5])
@pytest.mark.parametrize("num_contrasts", [1, 3, 6])
def test_failures_that_strike_all_arms_alike_add_no_false_verdicts(num_contrasts: int, rho: float) -> None:
    # Stability and superiority are one family: as two, each at 5 %, they gave up to 6.9 % here.
    rng = np.random.default_rng([num_contrasts, int(10 * rho)])
    for num_replicates in (5, 8, 14):
        for failing in (0.1, 0.3, 0.6):
            failed = _failures(rng, 4_000, np.full(num_contrasts + 1, failing), num_replicates, rho)
            codes = _judged(rng, failed, margin=1e-9)
            assert np.isin(codes, (BETTER, WORSE, UNSTABLE, STABLER)).any(axis=1).mean() <= _allowed(4_000)


@pytest.mark.parametrize("num_contrasts", [1, 6, 11])
def test_praise_with_a_failure_excess_above_the_printed_bound_is_rare(num_contrasts: int) -> None:
    """Diverged, dead and stuck alike; the bound is the one that the report prints for the counts that were seen."""
    rng = np.random.default_rng([num_contrasts, 9])
    for num_replicates in (5, 14):
        printed = np.array(
            [
                [largest_excess(arm, base, num_replicates, num_contrasts) for base in range(num_replicates + 1)]
                for arm in range(num_replicates + 1)
            ]
        )
        for base, excess in ((1e-9, 0.2), (1e-9, 0.5), (0.05, 0.3), (0.1, 0.5), (0.3, 0.3)):
            rates = np.append(base, np.full(num_contrasts, base + excess))
            failed = _failures(rng, 4_000, rates, num_replicates)
            counts = failed.sum(axis=-1)
            praised = np.isin(_judged(rng, failed), (BETTER, EQUIVALENT, SMALL_DIFFERENCE))
            false = praised & (printed[counts[:, 1:], counts[:, :1]] < excess)
            assert false.any(axis=1).mean() <= _allowed(4_000)


@pytest.mark.parametrize(("num_contrasts", "num_replicates"), [(1, 10), (6, 14)])
def test_an_arm_that_fails_in_30_percent_is_hardly_ever_called_equivalent(
    num_contrasts: int, num_replicates: int
) -> None:
    # 98.9 and 99.2 % where survivors alone were judged; what is left is that no replicate failed: 0.7^10 and 0.7^14.
    rng = np.random.default_rng(num_replicates)
    failed = _failures(rng, 8_000, np.append(np.full(num_contrasts, 1e-9), 0.3), num_replicates)
    codes = _judged(rng, failed)[:, -1]
    assert np.isin(codes, (EQUIVALENT, SMALL_DIFFERENCE, BETTER)).mean() < 0.7**num_replicates + 0.006


def test_the_power_of_the_stability_test_is_as_documented() -> None:
    rng = np.random.default_rng(4)
    # A baseline that fails in 90 %, arms that never do, 5 replicates: 4 of 5 is enough for one contrast, not for three.
    for num_contrasts, power in ((1, 0.92), (3, 0.59)):
        dead = _judged(rng, _failures(rng, 4_000, np.append(0.9, np.full(num_contrasts, 1e-9)), 5))
        assert (dead[:, 0] == STABLER).mean() == pytest.approx(power, abs=0.03)
    half = _judged(rng, _failures(rng, 4_000, np.append(0.5, np.full(6, 1e-9)), 14))
    assert (half[:, 0] == STABLER).mean() == pytest.approx(0.60, abs=0.03)


@pytest.mark.parametrize(("num_contrasts", "num_replicates", "rate"), [(1, 5, 0.156), (11, 20, 0.30)])
def test_one_sided_tails_are_what_no_t_rule_holds(num_contrasts: int, num_replicates: int, rate: float) -> None:
    """Exponential deltas at the margin: rare large losses that few replicates don't show. The README says so."""
    rng = np.random.default_rng(num_contrasts)
    losses = rng.exponential(0.5, (4_000, num_contrasts, num_replicates)) - 0.5
    codes = judge(-MARGIN - losses, margin=MARGIN).codes
    found = np.isin(codes, (EQUIVALENT, SMALL_DIFFERENCE)).any(axis=1).mean()
    assert found == pytest.approx(rate, abs=0.02)
