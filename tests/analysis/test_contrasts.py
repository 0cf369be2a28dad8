"""One contrast: which replicates are pairs, which survived, whose numbers count, and what must be said of them."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from paribus.analysis import analyse
from paribus.analysis.contrasts import Contrast, contrast_notes, example_differences, num_test_sets, pairs_of, values_of
from paribus.metrics.examples import Examples
from paribus.metrics.known import METRICS
from paribus.study import Study, TrialResult

TOP1, LIKELIHOOD = METRICS["top1"], METRICS["log_likelihood"]


def by_place(results: list[TrialResult]) -> dict:
    return {(result.arm, result.replicate): result for result in results}


@pytest.mark.parametrize("outcome", ["stopped", "failed", "missing"])
@pytest.mark.parametrize("side", [1.0, 2.0])
def test_a_pair_one_side_of_which_did_not_end_by_itself_is_no_pair_and_no_failure(
    study: Study, results_of, outcome: str, side: float
) -> None:
    table = {1.0: [90.0, 90.1, 90.2], 2.0: [91.0, 91.1, 91.2]}
    trials = by_place(results_of(study, {**table, side: [table[side][0], outcome, table[side][2]]}))
    base, arm, _ = study.arms
    if outcome == "missing":
        del trials[arm if side == 2.0 else base, 2]
    found = pairs_of(arm, base, trials, (1, 2, 3))
    assert (found.ended, found.survived) == ((1, 3), (1, 3))
    assert not found.arm_failed.any()
    assert not found.baseline_failed.any()


@pytest.mark.parametrize("outcome", ["diverged", "dead", "stuck"])
def test_a_failure_of_either_side_ends_the_pair_is_counted_on_its_side_and_takes_it_from_the_survivors(
    study: Study, results_of, outcome: str
) -> None:
    base, arm, _ = study.arms
    trials = by_place(results_of(study, {1.0: [90.0, outcome, 90.2, outcome], 2.0: [outcome, 91.1, 91.2, outcome]}))
    found = pairs_of(arm, base, trials, (1, 2, 3, 4))
    assert (found.ended, found.survived) == ((1, 2, 3, 4), (3,))
    assert found.arm_failed.tolist() == [True, False, False, True]
    assert found.baseline_failed.tolist() == [False, True, False, True]


@pytest.mark.parametrize("outcome", ["diverged", "dead", "stuck", "stopped", "failed"])
def test_the_number_of_a_trial_that_did_not_train_to_the_end_is_no_value(study: Study, results_of, outcome) -> None:
    base = study.arms[0]
    first, second = results_of(study, {1.0: [90.0, 91.0]})
    trials = by_place([first, replace(second, outcome=outcome)])
    assert values_of(base, TOP1, trials, (1, 2, 3)) == pytest.approx([90.0, nan, nan], nan_ok=True)


@pytest.mark.parametrize("reported", [nan, inf, -inf, None])
def test_a_number_that_is_not_finite_or_not_reported_is_no_value(study: Study, results_of, reported) -> None:
    (one,) = results_of(study, {1.0: [90.0]})
    trials = by_place([replace(one, metrics={} if reported is None else {"top1": reported})])
    assert np.isnan(values_of(study.arms[0], TOP1, trials, (1,))).all()


def judged_examples(study: Study, results_of) -> dict:
    """Two replicates of two arms over three examples."""
    right = {1.0: ([1, 0, 0], [1, 1, 0]), 2.0: ([1, 1, 0], [0, 1, 0])}
    results = results_of(study, {1.0: [33.3, 66.7], 2.0: [66.7, 33.3]})
    arms = {arm: arm.as_dict()["model.width"] for arm in study.arms}
    return by_place(
        [
            replace(
                result,
                examples=Examples(
                    correct=np.array(right[arms[result.arm]][result.replicate - 1], dtype=bool),
                    log_likelihood=np.array([-0.5, -1.0, -2.0], dtype=np.float32) * np.float32(arms[result.arm]),
                ),
            )
            for result in results
        ]
    )


def test_examples_differ_by_arm_minus_baseline_in_points_and_in_nats(study: Study, results_of) -> None:
    trials = judged_examples(study, results_of)
    pairs = pairs_of(study.arms[1], study.arms[0], trials, (1, 2))
    points, nats = (example_differences(pairs, metric, trials) for metric in (TOP1, LIKELIHOOD))
    assert points is not None
    assert points.tolist() == [[0, 100, 0], [-100, 0, 0]]
    assert nats is not None
    assert nats.tolist() == [[-0.5, -1.0, -2.0]] * 2
    loss = example_differences(pairs, METRICS["eval_loss"], trials)
    assert loss is not None
    assert loss.tolist() == [[0.5, 1.0, 2.0]] * 2
    for name in ("top5", "brier", "balanced_accuracy", "ece"):
        assert example_differences(pairs, METRICS[name], trials) is None, "the last release kept too little for it"


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("metric", [TOP1, LIKELIHOOD], ids=["top1", "log_likelihood"])
def test_examples_are_paired_only_where_both_sides_of_every_pair_have_them_in_one_number(
    study: Study, results_of, metric, side: int
) -> None:
    trials = judged_examples(study, results_of)
    pairs = pairs_of(study.arms[1], study.arms[0], trials, (1, 2))
    place = (study.arms[side], 2)
    without = replace(trials[place], examples=None)
    assert example_differences(pairs, metric, {**trials, place: without}) is None
    fewer = {
        (arm, 2): replace(
            trials[arm, 2],
            examples=Examples(correct=np.ones(2, bool), log_likelihood=np.zeros(2, np.float32)),
        )
        for arm in study.arms[:2]
    }
    assert example_differences(pairs, metric, {**trials, **fewer}) is None
    assert example_differences(replace(pairs, survived=()), metric, trials) is None


def test_lists_of_examples_are_counted_over_both_sides_and_one_that_nobody_told_is_none(study, results_of) -> None:
    trials = judged_examples(study, results_of)
    pairs = pairs_of(study.arms[1], study.arms[0], trials, (1, 2))
    assert num_test_sets(pairs, trials) == 0

    def telling(trial: TrialResult, digest: str) -> TrialResult:
        assert trial.examples is not None
        return replace(trial, examples=replace(trial.examples, keys_digest=digest))

    for side in study.arms[:2]:
        told = {**trials, (side, 1): telling(trials[side, 1], "a")}
        assert num_test_sets(pairs, told) == 1
        other = {**told, (side, 2): telling(trials[side, 2], "b")}
        assert num_test_sets(pairs, other) == 2
        assert example_differences(pairs, TOP1, other) is None, "of two lists no example has a partner"
        assert example_differences(pairs, TOP1, told) is not None


def contrast_of(study: Study, results_of, n: int) -> tuple[Contrast, list[str]]:
    base, wide = [90.0, 90.2, 89.8, 90.1, 89.9, 90.0], [95.0, 95.4, 94.8, 95.2, 95.3, 95.1]
    found = analyse(study.vary(replicates=n), results_of(study, {1.0: base[:n], 2.0: wide[:n]})).contrasts[0]
    return found, list(found.notes)


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (1, "1 pair: no interval and no verdict on quality below 3"),
        (2, "2 pairs: no interval and no verdict on quality below 3"),
        (3, "3 pairs: only large effects can be seen"),
        (4, "4 pairs: only large effects can be seen"),
        (5, None),
    ],
)
def test_below_3_pairs_no_verdict_is_promised_below_5_only_large_effects(study, results_of, n, said) -> None:
    contrast, notes = contrast_of(study, results_of, n)
    assert (contrast.interval is None) == (n < 3)
    assert [note for note in notes if " pair" in note] == ([said] if said else [])
    assert not any("identical" in note for note in notes), "these deltas differ"


def test_a_contrast_counts_the_pairs_that_are_missing_lost_and_unreported(study: Study, results_of) -> None:
    table = {1.0: [90.0, 90.2, 89.8, "dead", 89.9, 90.0], 2.0: [95.0, nan, 94.8, 95.2, "stopped", 95.4]}
    found = analyse(study.vary(replicates=7), results_of(study, table)).contrasts[0]
    assert (found.n, found.replicates) == (3, (1, 3, 6))
    assert list(found.notes[:4]) == [
        "2 of 7 replicates have no pair (missing, failed without a result, stopped)",
        "quality over the 3 of 5 pairs in which both trained: survivors are a selected group",
        "1 surviving pairs did not report the metric as a finite number",
        "3 pairs: only large effects can be seen",
    ]


def test_deltas_within_one_example_are_said_to_be_and_those_beyond_are_not(study: Study, results_of) -> None:
    base = [90.0, 90.2, 89.8]
    for spread, said in ((0.0, True), (0.1, True), (0.21, False)):
        table = {1.0: base, 2.0: [95.0, 95.2 + spread, 94.8 + 2 * spread]}
        found = analyse(study.vary(replicates=3), results_of(study, table), num_eval=500).contrasts[0]
        floored = [note for note in found.notes if "less than one evaluation example" in note]
        assert (found.sd == pytest.approx(0.2)) is said
        assert floored == (
            ["the deltas spread by less than one evaluation example; their sd is taken as one (0.2)"] if said else []
        )


def test_identical_deltas_are_named_with_their_value_from_three_on(study: Study, results_of) -> None:
    for n in (2, 3):
        results = [
            replace(result, metrics={"top1": result.metrics["top1"]})
            for result in results_of(study, {1.0: [90.0] * n, 2.0: [90.5] * n})
        ]
        found = analyse(study.vary(replicates=n), results).contrasts[0]
        told = [note for note in found.notes if note.startswith(f"all {n} deltas are identical (0.5)")]
        assert len(told) == (n == 3)


def test_lists_of_examples_that_differ_are_counted_in_a_note_and_one_list_or_none_is_not(study, results_of) -> None:
    trials = judged_examples(study, results_of)
    pairs, contrast = pairs_of(study.arms[1], study.arms[0], trials, (1, 2)), contrast_of(study, results_of, 5)[0]
    for num_sets in (0, 1, 2, 3):
        notes = contrast_notes(pairs, contrast, 2, num_sets, 0.01)
        told = [note for note in notes if "different lists" in note]
        assert len(told) == (num_sets > 1)
        assert all(f"judged on {num_sets} different lists" in note for note in told)


def test_a_floored_spread_is_told_from_three_pairs_on_and_never_of_one_training(study: Study, results_of) -> None:
    def told(n: int, arm: list[float], num_eval: int | None) -> list[str]:
        results = results_of(study, {1.0: [90.0, 90.2, 89.8][:n], 2.0: arm[:n]})
        notes = analyse(study.vary(replicates=n), results, num_eval=num_eval).contrasts[0].notes
        return [note for note in notes if "less than one evaluation example" in note]

    level = [95.0, 95.2, 94.8]
    assert len(told(3, level, 500)) == 1
    assert told(2, level, 500) == []
    assert told(3, [95.0, 96.0, 99.0], 500) == []
    assert told(3, level, None) == [], "without a number of examples there is no floor"
    assert told(3, [90.0, 90.2, 89.8], 500) == [], "the arms are the same training"
