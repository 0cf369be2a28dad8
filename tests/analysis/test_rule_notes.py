"""The numbers in what a report says of the rule: margin, alpha, and the failures that are excluded."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.analysis import analyse
from paribus.analysis.rule_notes import two_groups
from paribus.analysis.statistics.stability import excluded_excess
from paribus.study import Study

BASE, WIDE = [90.0, 90.2, 89.8, 90.1, 89.9, 90.0], [95.0, 95.4, 94.8, 95.2, 95.3, 95.1]


def excluded(study: Study, results: list) -> str:
    (note,) = [note for note in analyse(study, results).notes if "excludes an excess" in note]
    return note


def test_the_rule_is_told_with_the_studys_margin_and_alpha(study: Study, results_of) -> None:
    found = analyse(study.vary(margin=0.75, alpha=0.1), results_of(study, {1.0: BASE[:5], 2.0: WIDE[:5]}))
    assert any(note.startswith("margin ±0.75 points: ") and "held at 10 % over" in note for note in found.notes)


def test_what_is_excluded_is_of_the_contrast_with_the_fewest_pairs_among_those_in_which_nobody_failed(
    study: Study, results_of
) -> None:
    study = study.vary(replicates=6, alpha=0.1)
    fewer = excluded(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: WIDE[:4]}))
    assert fewer == (
        "no run failed to train: over 2 contrasts of 4 replicates that excludes an excess of failures above "
        f"{100 * excluded_excess(4, 2, 0.1):.0f} %, and no smaller one"
    )
    lossy = excluded(study, results_of(study, {1.0: BASE, 2.0: WIDE, 4.0: ["dead", *WIDE[1:3]]}))
    assert lossy.startswith("no run failed in 1 contrasts: over 2 contrasts of 6 replicates")
    none = excluded(study, results_of(study, {1.0: BASE, 2.0: WIDE}))
    assert none.startswith("no run failed in 1 contrasts: over 2 contrasts of 6 replicates"), "4.0 has no pair"


def test_where_every_contrast_had_a_failure_nothing_is_excluded(study: Study, results_of) -> None:
    lossy = {1.0: BASE[:5], 2.0: ["dead", *WIDE[1:5]], 4.0: ["dead", *WIDE[1:5]]}
    assert not any("excludes" in note for note in analyse(study, results_of(study, lossy)).notes)


def test_groups_are_parted_by_more_than_five_margins_and_no_less(study: Study, results_of) -> None:
    for gap, parted in ((2.45, False), (2.55, True)):
        two = [90.0, 90.01, 90.0 + gap, 90.01 + gap]
        found = analyse(study.vary(replicates=4), results_of(study, {1.0: BASE[:4], 2.0: two}))
        assert any("two groups" in note for note in found.notes) is parted


def test_two_groups_take_four_values_and_part_them_at_the_largest_gap() -> None:
    assert two_groups(np.array([0.0, 0.0, 9.0])) is None
    found = two_groups(np.array([9.0, 0.0, 0.1, 0.0]))
    assert found is not None
    assert (found[0].tolist(), found[1].tolist()) == ([0.0, 0.0, 0.1], [9.0])
    assert two_groups(np.array([0.0, 0.0, 1.0, 1.0]), least=1.0) is None, "a gap of just that is too small to matter"
    assert two_groups(np.array([0.0, 0.0, 1.0, 1.0]), least=0.999) is not None
    assert two_groups(np.array([1.0, 1.0, 1.0, 1.0])) is None


@pytest.mark.parametrize(("factor", "parted"), [(4.99, False), (5.01, True)])
def test_the_spread_within_has_n_minus_2_degrees_of_freedom(factor: float, parted: bool) -> None:
    low, high = np.array([-1.0, 0.0, 1.0]), np.array([0.0, 2.0])
    spread = np.sqrt((2.0 + 2.0) / (5 - 2))
    assert (two_groups(np.concatenate([low, high + 1.0 + factor * spread])) is not None) is parted


def test_without_a_contrast_there_is_no_rule_to_tell_of_and_without_a_least_every_gap_matters() -> None:
    alone = Study(name="s", factors={"model.width": (1.0,)}, baseline={"model.width": 1.0})
    assert not any("margin" in note and "equivalent" in note for note in analyse(alone, []).notes)
    assert two_groups(np.array([0.0, 0.001, 0.1, 0.101])) is not None


def test_five_replicates_of_one_contrast_exclude_an_excess_above_45_percent(study: Study, results_of) -> None:
    """statistics.md, section 2: 1 - (0.05 / 1) ** (1 / 5) = 0.4507."""
    alone = study.vary(factors={"model.width": (1.0, 2.0)})
    note = excluded(alone, results_of(alone, {1.0: BASE[:5], 2.0: WIDE[:5]}))
    assert note == (
        "no run failed to train: over 1 contrast of 5 replicates that excludes an excess of failures above 45 %, and "
        "no smaller one"
    )
