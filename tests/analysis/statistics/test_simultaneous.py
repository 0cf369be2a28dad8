"""Critical values for several contrasts at once, from the definition: the quantile of the largest paired |t|."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paribus.analysis.statistics.simultaneous import critical_value


@pytest.mark.parametrize(
    ("contrasts", "replicates", "level", "chunks"),
    [
        (2, 5, 0.95, 16),  # 65,536 studies
        (5, 3, 0.8, 16),
        (9, 80, 0.95, 10),  # 2^25 draws are 10.2 times 10 arms x 80 replicates x 4,096 studies
        (204, 10, 0.95, 4),  # 16,384 studies, the fewest
    ],
)
def test_the_value_is_the_quantile_of_the_largest_paired_t_of_so_many_studies(
    contrasts: int, replicates: int, level: float, chunks: int
) -> None:
    rng = np.random.default_rng([contrasts, replicates])
    largest = []
    for _ in range(chunks):
        runs = rng.standard_normal((replicates, contrasts + 1, 4096))
        t = stats.ttest_rel(runs[:, 1:], runs[:, :1], axis=0).statistic
        largest.append(np.abs(t).max(axis=0))
    assert critical_value(contrasts, replicates, level) == pytest.approx(np.quantile(largest, level), rel=1e-9)


def test_a_value_is_the_same_whenever_it_is_asked_for() -> None:
    first = critical_value(3, 4)
    critical_value.cache_clear()
    assert critical_value(3, 4) == first


@pytest.mark.parametrize(("contrasts", "replicates"), [(0, 5), (3, 2), (1, 2)])
def test_without_a_contrast_or_three_replicates_there_is_no_simultaneous_value(contrasts: int, replicates: int) -> None:
    with pytest.raises(ValueError, match=f"not {contrasts} and {replicates}"):
        critical_value(contrasts, replicates)
