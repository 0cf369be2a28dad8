"""Planned looks spend their error and no more of it."""

from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from paribus.analysis.statistics.spending import RHO, PlannedLooks, level_at, nominal_levels

LOOKS = (4, 6, 9, 13, 20, 30)


def series(count: int, seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal((count, LOOKS[-1]))


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_all_looks_together_reject_a_true_hypothesis_with_alpha(sides: int, alpha: float) -> None:
    drawn = np.cumsum(series(200_000, sides), axis=1)
    spent = np.zeros(len(drawn), dtype=bool)
    shares = []
    for look, level in zip(LOOKS, nominal_levels(LOOKS, alpha, sides=sides), strict=True):
        z = drawn[:, look - 1] / look**0.5
        spent |= (2 * special.ndtr(-abs(z)) if sides == 2 else special.ndtr(-z)) < level
        shares.append(spent.mean())
    error = 4 * (alpha / len(drawn)) ** 0.5
    wanted = alpha * (np.array(LOOKS) / LOOKS[-1]) ** RHO
    assert shares == pytest.approx(wanted, abs=error)


def test_equal_looks_at_a_constant_rate_have_the_published_levels() -> None:
    # Two looks, the first at half: alpha / 2 ** RHO is spent there, and the bivariate normal law gives the rest.
    first, second = nominal_levels((5, 10), 0.05, sides=2)
    one, two = stats.norm.isf(first / 2), stats.norm.isf(second / 2)
    law = stats.multivariate_normal([0, 0], [[1, 0.5**0.5], [0.5**0.5, 1]])
    inside = law.cdf([one, two], lower_limit=[-one, -two])
    assert first == pytest.approx(0.05 / 2**RHO)
    assert 1 - inside == pytest.approx(0.05, abs=2e-5)


@pytest.mark.parametrize("looks", [LOOKS, (3, 5, 8, 12, 20), (5, 10, 20)])
def test_students_t_of_few_replicates_keeps_alpha_over_all_looks(looks: tuple[int, ...]) -> None:
    drawn = np.random.default_rng(looks[0]).standard_normal((100_000, looks[-1]))
    least = np.ones(len(drawn))
    for index, look in enumerate(looks):
        part = drawn[:, :look]
        p = 2 * special.stdtr(look - 1, -abs(part.mean(axis=1) / (part.std(axis=1, ddof=1) / look**0.5)))
        least = np.minimum(least, PlannedLooks(replicates=looks, at=np.array(index)).repeated_p(p, sides=2))
    for alpha in (0.05, 0.05 / 6):
        assert (least < alpha).mean() < alpha + 3 * (alpha / len(drawn)) ** 0.5
    assert (least < 0.05).mean() > 0.045, "what is kept back is kept small"


@pytest.mark.parametrize("sides", [1, 2])
def test_a_repeated_p_is_the_alpha_at_which_its_look_would_just_have_rejected(sides: int) -> None:
    for index in range(len(LOOKS)):
        planned = PlannedLooks(replicates=LOOKS, at=np.array(index))
        for alpha in (0.2, 0.05, 0.003):
            nominal = nominal_levels(LOOKS, 0.9 * alpha, sides=sides)[index]
            assert float(planned.repeated_p(nominal, sides=sides)) == pytest.approx(alpha, rel=0.01)


def test_each_contrast_has_the_levels_of_its_own_look() -> None:
    planned = PlannedLooks(replicates=LOOKS, at=np.array([0, 5, -1]))
    p = planned.repeated_p([0.001, 0.001, 1.0], sides=2)
    assert p[0] > p[1]
    assert p[2] == 1.0
    levels = planned.level(0.05)
    assert levels[0] == pytest.approx(1 - nominal_levels(LOOKS, 0.045, sides=2)[0])
    assert levels[1] == pytest.approx(1 - nominal_levels(LOOKS, 0.045, sides=2)[-1])
    assert level_at(LOOKS, -1, 0.05, sides=2) == pytest.approx(1 - levels[1])


def test_a_p_of_nothing_stays_one_and_one_of_certainty_stays_small() -> None:
    planned = PlannedLooks(replicates=LOOKS, at=np.array(2))
    assert float(planned.repeated_p(1.0, sides=2)) == 1.0
    assert float(planned.repeated_p(0.0, sides=2)) < 1e-6
