"""Arms by value and cost: means with intervals, the front, and how sure it is over the replicates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paribus.analysis.exploratory.tradeoffs import on_front, trade_offs
from paribus.study.words import Arm

A, B, C = (Arm.of({"model.width": width}) for width in (1.0, 2.0, 4.0))


def test_the_front_is_what_no_other_is_as_good_as_in_both_and_better_in_one() -> None:
    values, costs = np.array([1.0, 2.0, 2.0, 3.0, 2.5]), np.array([1.0, 2.0, 3.0, 4.0, 4.0])
    assert list(on_front(values, costs)) == [True, True, False, True, False]
    assert list(on_front(np.array([1.0, 1.0]), np.array([2.0, 2.0]))) == [True, True], "equal ones are both on it"


def test_an_arm_has_the_mean_and_t_interval_of_both_and_a_cost_without_chance_has_none() -> None:
    values = [90.0, 91.0, 90.5, 89.0, 91.5]
    seconds = [10.0, 12.0, 11.0, 13.0, 9.0]
    points = {A: {r: (v, s) for r, (v, s) in enumerate(zip(values, seconds, strict=True))}}
    (one,) = trade_offs(points, 1)
    assert one.value == pytest.approx(np.mean(values))
    assert one.value_interval is not None
    assert one.cost_interval is not None
    expected = stats.t.interval(0.95, 4, np.mean(seconds), stats.sem(seconds))
    assert (one.cost_interval.low, one.cost_interval.high) == pytest.approx(expected)
    assert (one.on_front, one.front_share) == (True, None), "one arm has nothing to be better than"
    (same,) = trade_offs({A: {r: (v, 1000.0) for r, v in enumerate(values)}}, 1)
    assert same.cost_interval is None
    assert trade_offs({A: {}}, 1) == []


def test_a_clear_front_is_sure_and_two_arms_that_noise_orders_share_it() -> None:
    rng = np.random.default_rng(2)
    points = {
        A: {r: (90 + rng.normal(0, 0.1), 1.0) for r in range(8)},
        B: {r: (90 + 2 * (-1) ** r * 0.3, 2.0) for r in range(8)},
        C: {r: (95 + rng.normal(0, 0.1), 4.0) for r in range(8)},
    }
    shares = {each.arm: each.front_share for each in trade_offs(points, 1)}
    assert shares[A] == shares[C] == 1.0
    assert 0.2 < (shares[B] or 0.0) < 0.8
    losses = {arm: {r: (-v, cost) for r, (v, cost) in rows.items()} for arm, rows in points.items()}
    assert {each.arm: each.front_share for each in trade_offs(losses, -1)} == shares
    assert [each.arm for each in trade_offs(points, 1)] == [A, B, C], "by cost"


def test_replicates_that_move_both_arms_alike_take_nothing_from_the_front() -> None:
    """B is better by 0.1 in every replicate, whose own spread is 3: paired resamples see it, others would not."""
    common = np.random.default_rng(5).normal(0, 3, 6)
    points = {
        A: {r: (90 + c, 1.0) for r, c in enumerate(common)},
        B: {r: (90.1 + c, 2.0) for r, c in enumerate(common)},
    }
    assert {each.arm: each.front_share for each in trade_offs(points, 1)} == {A: 1.0, B: 1.0}


def test_few_replicates_tell_no_share_and_a_missing_one_is_left_out_of_its_arm_alone() -> None:
    few = {A: {r: (90.0 + r, 1.0) for r in range(4)}, B: {r: (91.0 + r, 2.0) for r in range(8)}}
    assert [each.front_share for each in trade_offs(few, 1)] == [None, None]
    lacking = {A: {r: (90.0 + r, 1.0) for r in range(7)}, B: {r: (91.0 + r, 2.0) for r in range(1, 8)}}
    found = trade_offs(lacking, 1)
    assert [each.n for each in found] == [7, 7]
    assert all(each.front_share is not None for each in found)
