"""The crossed bootstrap: its closed form against resampling, and what it covers."""

import numpy as np
import pytest

from paribus.analysis.crossed import crossed_bootstrap, crossed_interval, crossed_standard_error
from paribus.analysis.intervals import t_interval


def _differences(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    noise = rng.normal(0, 1, (rows, columns))
    return 0.2 + rng.normal(0, 0.15, (rows, 1)) + rng.normal(0, 1, (1, columns)) + noise


def test_the_closed_form_is_the_bootstraps_standard_error(rng: np.random.Generator) -> None:
    differences = _differences(rng, 6, 40)
    resampled = crossed_bootstrap(differences, seed=3, num_resamples=20_000)
    assert resampled.std() == pytest.approx(crossed_standard_error(differences), rel=0.02)
    assert resampled.mean() == pytest.approx(differences.mean(), abs=0.01)


def test_with_identical_examples_only_replicates_count(rng: np.random.Generator) -> None:
    rows = rng.normal(0, 1, 8)
    same = np.repeat(rows[:, None], 50, axis=1)
    found, plain = crossed_interval(same), t_interval(rows)
    assert found is not None
    assert plain is not None
    assert found.half_width == pytest.approx(plain.half_width, rel=0.01)


def test_it_is_wider_than_training_chance_alone(rng: np.random.Generator) -> None:
    differences = _differences(rng, 6, 40)
    found, plain = crossed_interval(differences), t_interval(differences.mean(axis=1))
    assert found is not None
    assert plain is not None
    assert found.half_width > plain.half_width
    assert found.covers == "training and data chance"


def test_it_covers_over_other_replicates_and_other_examples(rng: np.random.Generator) -> None:
    found = [crossed_interval(_differences(rng, 5, 60)) for _ in range(2000)]
    covered = np.mean([interval is not None and interval.low <= 0.2 <= interval.high for interval in found])
    assert covered > 0.94  # Owen (2007): conservative


def test_below_three_replicates_or_without_spread_there_is_none(rng: np.random.Generator) -> None:
    assert crossed_interval(_differences(rng, 2, 40)) is None
    assert crossed_interval(np.zeros((5, 40))) is None
    with pytest.raises(ValueError, match="replicates, examples"):
        crossed_interval(np.zeros(5))
