"""Where an arm gains and loses, by class, confusion and confidence: against arithmetic done by hand and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from paribus.analysis.exploratory.classes import Pair, class_deltas, confusion, num_classes, reliability
from paribus.analysis.exploratory.flips import flips
from paribus.metrics.examples import Examples

LABELS = np.repeat([0, 1, 2], [100, 40, 20]).astype(np.int32)


def net(wrong: dict[int, int], top: float = 0.9, labels: np.ndarray = LABELS) -> Examples:  # type: ignore[type-arg]
    """A net that takes the first so many of each class for the next one."""
    predicted = labels.copy()
    for label, count in wrong.items():
        predicted[np.flatnonzero(labels == label)[:count]] = (label + 1) % 3
    return Examples(
        label=labels, predicted=predicted, correct=predicted == labels, top_probability=np.full(len(labels), top)
    )


def pairs(arm: list[dict[int, int]], baseline: list[dict[int, int]]) -> list[Pair]:
    return [(net(one), net(other)) for one, other in zip(arm, baseline, strict=True)]


def test_a_class_has_the_paired_t_interval_of_its_replicates_and_holms_p_over_the_classes() -> None:
    gains, losses = [3, 5, 4, 6, 2], [1, 0, 2, 1, 1]
    own = pairs([{1: 8 - g, 2: 4} for g in gains], [{1: 8, 2: 4 - one} for one in losses])
    zero, one, two = class_deltas(own)
    assert (zero.delta, zero.n, zero.num_examples, zero.p_holm) == (0.0, 5, 100, 1.0)
    points = np.array(gains) * 100 / 40
    assert one.delta == pytest.approx(points.mean())
    assert one.interval is not None
    sem = max(points.std(ddof=1), 2.5) / np.sqrt(5)
    assert (one.interval.low, one.interval.high) == pytest.approx(stats.t.interval(0.95, 4, points.mean(), sem))
    assert one.p_holm == pytest.approx(3 * 2 * stats.t.sf(points.mean() / sem, 4))
    assert two.delta == pytest.approx(-5.0)
    assert (one.arm, one.baseline) == pytest.approx((90.0, 80.0))
    assert class_deltas([]) == []
    assert class_deltas(own[:2])[1].interval is None


def test_a_class_that_never_moves_still_has_the_interval_of_one_image() -> None:
    zero = class_deltas(pairs([{}] * 4, [{}] * 4))[0]
    assert zero.interval is not None
    assert zero.interval.high == pytest.approx(stats.t.ppf(0.975, 3) * 1.0 / 2)


def test_confusion_is_the_mean_share_of_each_label_that_is_taken_for_each_class() -> None:
    several = [net({0: 10}), net({0: 30, 2: 5})]
    table = confusion(several, num_classes(several))
    assert table[0] == pytest.approx([80.0, 20.0, 0.0])
    assert table[1] == pytest.approx([0.0, 100.0, 0.0])
    assert table[2] == pytest.approx([12.5, 0.0, 87.5])
    assert table.sum(axis=1) == pytest.approx([100.0] * 3)


def test_bins_have_confidence_accuracy_and_the_interval_over_replicates_within_0_and_100() -> None:
    several = [net({0: wrong}, top=0.95) for wrong in (8, 16, 4)] + [net({}, top=0.45)]
    low, high = reliability(several)
    assert (low.n, low.num_examples, low.accuracy, low.interval) == (1, 40.0, 100.0, None)
    assert (low.low, low.high) == pytest.approx((0.4, 0.5))
    accuracies = np.array([100 * (160 - wrong) / 160 for wrong in (8, 16, 4)])
    assert (high.n, high.num_examples) == (3, 120.0)
    assert high.confidence == pytest.approx(95.0)
    assert high.accuracy == pytest.approx(accuracies.mean())
    assert high.interval is not None
    expected = stats.t.interval(0.95, 2, accuracies.mean(), stats.sem(accuracies))
    assert high.interval.low == pytest.approx(expected[0])
    assert high.interval.high == pytest.approx(100.0), "no share is above all"
    same = reliability([net({0: 8})] * 3)[0]
    assert same.interval is not None
    assert same.accuracy - same.interval.low == pytest.approx(stats.t.ppf(0.975, 2) * (100 / 160) / np.sqrt(3))


def test_an_example_flips_that_one_side_has_right_in_four_fifths_more_of_the_replicates() -> None:
    own = pairs([{0: 1}] * 5, [{1: 2, 0: 1}] * 4 + [{1: 1, 0: 1}])
    found = flips(own)
    assert [(each.place, each.arm_right, each.baseline_right) for each in found.gained] == [(100, 5, 0), (101, 5, 1)]
    first = found.gained[0]
    assert (first.label, first.arm_says, first.baseline_says) == (1, 1, 2)
    assert found.lost == ()
    assert (found.n, found.num_examples) == (5, 160)
    turned = flips([(other, one) for one, other in own])
    assert [each.place for each in turned.lost] == [100, 101]
    assert turned.gained == ()


def test_what_flips_by_chance_is_the_mean_over_all_swaps_of_the_sides() -> None:
    """One image that always flips: of the 8 pairs of swaps of 4 replicates one keeps all signs, so 1 / 8 by chance."""
    found = flips(pairs([{}] * 4, [{2: 1}] * 4))
    assert found.by_chance == pytest.approx(1 / 8)
    assert found.p == pytest.approx(1 / 8)
    none = flips(pairs([{}] * 4, [{}] * 4))
    assert (none.by_chance, none.p) == (0.0, 1.0)
    few = flips(pairs([{}] * 2, [{2: 1}] * 2))
    assert (few.by_chance, few.p) == (None, None)
    many = flips(pairs([{}] * 14, [{2: 1}] * 14))
    assert many.p is not None
    assert many.p < 0.01
    assert flips([]).n == 0
