"""Paired proportions against published examples and statsmodels."""

import pytest
from statsmodels.stats.proportion import proportion_confint

from paribus.analysis.proportions import newcombe, wilson


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
