"""The interval over replicates and examples at once: its components, and what it covers."""

import numpy as np
import pytest

from paribus.analysis.crossed import components_of, crossed_interval
from paribus.analysis.intervals import t_interval


def _differences(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    noise = rng.normal(0, 1, (rows, columns))
    return 0.2 + rng.normal(0, 0.15, (rows, 1)) + rng.normal(0, 1, (1, columns)) + noise


def test_the_components_add_up_to_the_true_variance_of_the_mean(rng: np.random.Generator) -> None:
    found = [components_of(_differences(rng, 6, 40)) for _ in range(4000)]
    true = 0.15**2 / 6 + 1 / 40 + 1 / 240
    assert np.mean([one.rows + one.columns - one.residual for one in found]) == pytest.approx(true, rel=0.03)
    means = [_differences(rng, 6, 40).mean() for _ in range(4000)]
    assert np.var(means) == pytest.approx(true, rel=0.1)


def test_with_residual_noise_alone_it_is_the_t_interval_and_not_three_times_its_variance(
    rng: np.random.Generator,
) -> None:
    ratios, covered = [], []
    for _ in range(1000):
        noise = rng.normal(0, 1, (8, 100))
        found, plain = crossed_interval(noise), t_interval(noise.mean(axis=1))
        assert found is not None
        assert plain is not None
        ratios.append(found.half_width / plain.half_width)
        covered.append(found.low <= 0 <= found.high)
    assert min(ratios) > 1 - 1e-12, "another test set never makes an interval narrower"
    assert np.median(ratios) < 1.2  # the crossed bootstrap: 1.73
    assert 0.94 < np.mean(covered) < 0.985


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
    assert 0.94 < covered < 0.975


def test_it_is_never_narrower_than_the_interval_of_training_chance_that_the_report_shows(
    rng: np.random.Generator,
) -> None:
    found = crossed_interval(_differences(rng, 6, 40), at_least=5.0)
    assert found is not None
    assert found.half_width == 5.0


def test_below_three_replicates_or_without_spread_there_is_none(rng: np.random.Generator) -> None:
    assert crossed_interval(_differences(rng, 2, 40)) is None
    assert crossed_interval(np.zeros((5, 40))) is None
    with pytest.raises(ValueError, match="replicates, examples"):
        crossed_interval(np.zeros(5))
