"""Holm's correction against statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from paribus.analysis.multiplicity import holm


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
