"""The interval over replicates and examples at once: its components, and what it covers."""

import numpy as np
import pytest
from scipy import stats

from paribus.analysis.statistics.crossed import Components, components_of, crossed_interval
from paribus.analysis.statistics.intervals import t_interval


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


def anova(values: np.ndarray) -> tuple[float, float, float, float]:
    """S_rows^2 / R, S_columns^2 / n, MS_e / (R n) and the half-width, from the sums of squares of a two-way table."""
    rows, columns = values.shape
    total = ((values - values.mean()) ** 2).sum()
    of_rows = columns * ((values.mean(axis=1) - values.mean()) ** 2).sum()
    of_columns = rows * ((values.mean(axis=0) - values.mean()) ** 2).sum()
    error = (total - of_rows - of_columns) / ((rows - 1) * (columns - 1))
    a, b, e = of_rows / (rows - 1) / columns / rows, of_columns / (columns - 1) / rows / columns, error / rows / columns
    variance = max(a + b - e, a)
    freedom = max(variance**2 / (a**2 / (rows - 1) + b**2 / (columns - 1)), rows - 1)
    return a, b, e, max(stats.t.ppf(0.975, freedom) * variance**0.5, stats.t.ppf(0.975, rows - 1) * a**0.5)


def test_components_and_interval_are_those_of_the_two_way_table(rng: np.random.Generator) -> None:
    for shape in ((3, 2), (3, 7), (5, 40)):
        values = _differences(rng, *shape)
        a, b, e, width = anova(values)
        found, interval = components_of(values), crossed_interval(values)
        assert (found.rows, found.columns, found.residual) == pytest.approx((a, b, e))
        assert (found.num_rows, found.num_columns) == shape
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((values.mean() - width, values.mean() + width))


def test_degrees_of_freedom_are_satterthwaites_and_at_least_those_of_the_rows() -> None:
    found = Components(rows=2.0, columns=3.0, residual=1.0, num_rows=5, num_columns=11)
    assert found.variance == 4.0
    assert found.freedom == pytest.approx(16 / (4 / 4 + 9 / 10))
    rows_alone = Components(rows=2.0, columns=1.0, residual=5.0, num_rows=5, num_columns=11)
    assert (rows_alone.variance, rows_alone.freedom) == (2.0, 4.0)
    assert Components(rows=0.0, columns=0.0, residual=0.0, num_rows=5, num_columns=11).freedom == 4.0


def test_three_replicates_of_two_examples_are_the_least_and_the_level_is_that_asked_for(rng) -> None:
    values = _differences(rng, 4, 30)
    assert crossed_interval(values[:2]) is None
    assert crossed_interval(values[:3, :1]) is None
    assert crossed_interval(values[:3, :2]) is not None
    wide, narrow = crossed_interval(values, level=0.99), crossed_interval(values, level=0.8)
    assert wide is not None
    assert narrow is not None
    assert (wide.level, narrow.level) == (0.99, 0.8)
    assert wide.half_width > narrow.half_width
    rows = np.repeat(values.mean(axis=1)[:, None], 30, axis=1)
    plain, found = t_interval(rows[:, 0], level=0.8), crossed_interval(rows, level=0.8)
    assert plain is not None
    assert found is not None
    assert found.half_width == pytest.approx(plain.half_width, rel=0.01)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_more_degrees_of_freedom_never_make_it_narrower_than_the_t_interval_of_the_replicates(level: float) -> None:
    """Rows and columns that add up: no residual, twice the rows' variance in all, and 4.5 degrees of freedom for 2."""
    rows, columns = np.array([0.0, 1.0, 2.0]), np.sqrt(50 / 3) * stats.zscore(np.arange(100.0), ddof=1)
    found, plain = crossed_interval(rows[:, None] + columns, level), t_interval(rows, level=level)
    parts = components_of(rows[:, None] + columns)
    assert (parts.variance, parts.freedom) == (pytest.approx(0.5), pytest.approx(4.48, abs=0.01))
    assert found is not None
    assert plain is not None
    by_freedom = stats.t.ppf(0.5 + level / 2, parts.freedom) * 0.5**0.5
    assert found.half_width == pytest.approx(plain.half_width)
    assert plain.half_width > 1.02 * by_freedom


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (5,), (2, 3, 4)])
def test_what_is_no_table_of_replicates_and_examples_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="replicates, examples"):
        crossed_interval(np.zeros(shape))
