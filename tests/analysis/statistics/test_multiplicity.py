"""Holm's correction against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from paribus.analysis.statistics.multiplicity import holm


def test_holm_is_statsmodels(rng: np.random.Generator) -> None:
    p = rng.random((50, 7)) ** 3
    p[0, :3] = 0.01  # ties
    expected = [multipletests(row, method="holm")[1] for row in p]
    assert np.allclose(holm(p), expected)


def test_hypotheses_outside_the_family_are_not_paid_for(rng: np.random.Generator) -> None:
    p = rng.random(6)
    family = np.array([True, False, True, True, False, True])
    found = holm(p, family)
    assert np.allclose(found[family], holm(p[family]))
    assert (found[~family] == 1).all()


def test_holm_refuses_a_nan() -> None:
    with pytest.raises(ValueError, match=r"enter 1\.0"):
        holm([0.1, np.nan])


def test_holm_by_hand_step_by_step_and_never_falling() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.01, 0.01, 0.9, 0.5]) == pytest.approx([0.04, 0.04, 1.0, 1.0])
    assert holm([0.02]).tolist() == [0.02]
    assert holm([0.7, 0.6, 0.9]).tolist() == [1.0, 1.0, 1.0]
    assert holm([[0.04, 0.01], [0.5, 0.03]]) == pytest.approx(np.array([[0.04, 0.02], [0.5, 0.06]]))


def test_an_empty_family_and_one_of_one_cost_nothing() -> None:
    p = [[0.01, 0.02], [0.01, 0.02]]
    family = [[False, False], [False, True]]
    assert holm(p, family).tolist() == [[1.0, 1.0], [1.0, 0.02]]
