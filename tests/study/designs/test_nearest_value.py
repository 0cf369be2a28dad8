"""The nearest admissible value, against trying every one."""

from __future__ import annotations

import pytest

from paribus.study.designs.nearest_value import Counting, Number, UnreachedError, nearest


def channels(width: Number) -> int:
    """As a net counts: of three stages, each rounded by itself."""
    stages = [max(1, int(base * width + 0.5)) for base in (16, 32, 64)]
    return sum(before * after * 9 for before, after in zip([3, *stages], [*stages, 10], strict=False))


def counting(count: object, low: Number, high: Number, grid: int = 1) -> Counting:
    return Counting(lambda value: low <= value <= high and (grid == 1 or value % grid == 4 % grid), count)  # type: ignore[arg-type]


@pytest.mark.parametrize("target", [400, 1_000, 5_003, 24_000, 24_001, 77_777, 1_234_567])
@pytest.mark.parametrize("start", [0.3, 1.0, 7.0])
def test_a_width_comes_as_near_as_any_of_fifty_thousand(target: int, start: float) -> None:
    found = nearest(counting(channels, 1e-9, 64.0), start, target)
    tried = min(abs(channels(0.01 * 1.0002**step) - target) for step in range(43_800))
    assert abs(channels(found) - target) <= tried
    assert len(f"{found:g}") <= 7


@pytest.mark.parametrize("count", [lambda depth: 100 * depth, lambda depth: 90_000 // depth], ids=["rising", "falling"])
@pytest.mark.parametrize("target", [1_000, 1_649, 4_000, 6_999])
def test_whole_numbers_with_gaps_come_as_near_as_any(count: object, target: int) -> None:
    admissible = range(10, 1_000, 6)
    found = nearest(counting(count, 10, 1_000, grid=6), 40, target)
    assert isinstance(found, int)
    assert abs(count(found) - target) == min(abs(count(depth) - target) for depth in admissible)  # type: ignore[operator]


def test_a_start_that_is_the_answer_stays_and_a_plateau_is_passed() -> None:
    assert nearest(counting(channels, 1e-9, 64.0), 2.0, channels(2)) == 2.0
    assert nearest(counting(lambda value: int(value > 9), 1, 100), 1, 1) == 10


@pytest.mark.parametrize(
    ("target", "value"), [(10**9, 64.0), (3, 1e-9)], ids=["above all that may be", "below the smallest net"]
)
def test_a_target_out_of_reach_is_told_with_the_nearest(target: int, value: float) -> None:
    with pytest.raises(UnreachedError) as told:
        nearest(counting(channels, 1e-9, 64.0), 1.0, target)
    assert told.value.count == channels(value)
    assert told.value.moves
    with pytest.raises(UnreachedError) as told:
        nearest(counting(lambda value: 5, 1, 64), 2, 9)
    assert not told.value.moves
