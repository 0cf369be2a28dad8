"""Paired proportions against published examples and statsmodels."""

import pytest
from statsmodels.stats.proportion import proportion_confint

from paribus.analysis.statistics.proportions import newcombe, wilson


@pytest.mark.parametrize(
    ("table", "low", "high", "digits"),
    [
        ((36, 12, 2, 0), 0.0569, 0.3404, 4),  # Newcombe (1998), example, method 10
        ((14, 5, 0, 22), 0.011, 0.226, 3),  # Altman et al. (2000), Statistics with confidence, p. 52
        ((1, 1, 7, 12), -0.507, -0.026, 3),  # Fagerland, Lydersen and Laake (2014), airway hyper-responsiveness
        ((59, 6, 16, 80), -0.1186, -0.0046, 4),  # the same, complete response to therapy
    ],
)
def test_newcombes_interval_gives_the_published_examples(
    table: tuple[int, int, int, int], low: float, high: float, digits: int
) -> None:
    found = newcombe(*table)
    assert (round(found.low, digits), round(found.high, digits)) == (low, high)


def test_newcombes_interval_turns_with_the_sides() -> None:
    there, back = newcombe(1, 4, 2, 3), newcombe(1, 2, 4, 3)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_newcombes_interval_stays_inside_the_possible() -> None:
    for table in ((0, 5, 0, 0), (5, 0, 0, 0), (0, 0, 0, 3), (0, 0, 8, 0)):
        found = newcombe(*table)
        assert -1 <= found.low <= (table[1] - table[2]) / sum(table) <= found.high <= 1


@pytest.mark.parametrize("table", [(0, 0, 0, 0), (-1, 1, 1, 1)])
def test_a_table_without_pairs_raises(table: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="paired table"):
        newcombe(*table)


def test_wilson_is_statsmodels() -> None:
    assert wilson(7, 20) == pytest.approx(proportion_confint(7, 20, method="wilson"))


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_both_intervals_are_at_the_level_that_was_asked_for(level: float) -> None:
    for successes, n in ((0, 5), (1, 3), (7, 20), (5, 5)):
        expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
        assert wilson(successes, n, level) == pytest.approx(expected, abs=1e-12)
    assert newcombe(1, 2, 3, 4, level).level == level


@pytest.mark.parametrize(
    "table", [(36, 12, 2, 10), (1, 1, 1, 2), (5, 3, 3, 5), (1, 4, 5, 1), (2, 0, 3, 4), (0, 3, 0, 5), (3, 2, 2, 3)]
)
def test_newcombes_method_10_by_its_formula(table: tuple[int, int, int, int]) -> None:
    """Newcombe (1998), page 2639: phi is corrected by n / 2 where it is positive, and by no more than to 0."""
    a, b, c, d = table
    n = a + b + c + d
    p1, p2 = (a + b) / n, (a + c) / n
    (l1, u1), (l2, u2) = wilson(a + b, n), wilson(a + c, n)
    excess = a * d - b * c
    corrected = excess - n / 2 if excess > n / 2 else min(excess, 0)
    root = ((a + b) * (c + d) * (a + c) * (b + d)) ** 0.5
    phi = corrected / root if root else 0.0
    below = ((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2) ** 0.5
    above = ((p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2) ** 0.5
    found = newcombe(*table)
    assert (found.low, found.high) == pytest.approx((p1 - p2 - below, p1 - p2 + above))


@pytest.mark.parametrize("table", [(-1, 3, 3, 3), (3, -1, 3, 3), (3, 3, -1, 3), (3, 3, 3, -1)])
def test_a_negative_count_is_refused_wherever_it_stands(table: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match=">= 0 and not all 0"):
        newcombe(*table)
