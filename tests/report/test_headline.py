"""A study in one sentence: true of every state, with interval and n, and what is open said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from paribus.analysis import StudyAnalysis, analyse
from paribus.analysis.looks import Looks
from paribus.report.headline import counts_headline, headline
from paribus.report.numbers import decimals_for, show_number
from paribus.study import Study, TrialResult

BASE = [90.0, 90.2, 89.8, 90.1, 89.9]
Values = Mapping[float, Sequence[float | str]]


@pytest.fixture
def said(study: Study, results_of: Callable[[Study, Values], list[TrialResult]]) -> Callable[[Values], str]:
    """The sentence for these results."""
    return lambda table: headline(analyse(study, results_of(study, table), num_eval=10_000))


@pytest.mark.parametrize(
    ("two", "four", "expected"),
    [
        (
            [95.0, 95.4, 94.8, 95.2, 95.3],
            [90.1, 90.2, 89.9, 90.0, 90.0],
            "k=2 is better than k=1 by 5.14 points of top-1 accuracy [4.93, 5.35], n = 5; 1 is equivalent.",
        ),
        (
            [85.0, 85.4, 84.8, 85.2, 85.3],
            [92, 88, 89, 93, 90],
            "k=2 is worse than k=1 by 4.86 points of top-1 accuracy [4.65, 5.07], n = 5; 1 of 2 contrasts is "
            "unresolved.",
        ),
        (
            [95.0, 95.4, 94.8, 95.2, 95.3],
            [97.0, 97.4, 96.8, 97.2, 97.3],
            "k=4 is better than k=1 by 7.14 points of top-1 accuracy [6.93, 7.35], n = 5, the largest "
            "difference of 2; 1 more is better.",
        ),
        (
            [90.1, 90.2, 89.9, 90.0, 90.0],
            [90.1, 90.2, 89.9, 90.0, 90.0],
            "k=2 is equivalent to k=1 within ±0.5 points: +0.04 points of top-1 accuracy [−0.07, +0.15], "
            "n = 5, the largest difference of 2; 1 more is equivalent.",
        ),
        (
            [92, 88, 89, 93, 90],
            [91, 88, 89, 91, 90],
            "None of 2 contrasts is resolved; the clearest is k=2 against k=1, +0.4 points of top-1 accuracy "
            "[−2.2, +3.0], n = 5.",
        ),
    ],
)
def test_the_sentence_tells_the_leading_verdict_with_interval_and_n_and_counts_the_others(
    said: Callable[[Values], str], two: Sequence[float], four: Sequence[float], expected: str
) -> None:
    assert said({1.0: BASE, 2.0: two, 4.0: four}) == expected


def test_a_metric_of_which_less_is_better_is_better_by_what_it_is_lower(
    study: Study, results_of: Callable[[Study, Values], list[TrialResult]]
) -> None:
    loss = Study(
        name="width",
        factors={"model.width": (1.0, 2.0)},
        baseline={"model.width": 1.0},
        metric="eval_loss",
        margin=0.01,
    )
    results = results_of(loss, {1.0: BASE, 2.0: [95.0, 95.4, 94.8, 95.2, 95.3]})
    assert headline(analyse(loss, results)) == (
        "k=2 is better than k=1 by 0.0514 nats of evaluation loss [0.0493, 0.0535], n = 5."
    )


def test_a_verdict_on_failures_says_how_many_failed(
    study: Study, results_of: Callable[[Study, Values], list[TrialResult]]
) -> None:
    many = replace(study, replicates=12, claim=None)
    table = {1.0: ["diverged"] * 12, 2.0: [90.0 + i / 10 for i in range(12)], 4.0: ["dead"] * 12}
    assert headline(analyse(many, results_of(many, table))) == (
        "k=2 fails to train less often than k=1, in 0 against 12 of 12 replicates; 1 of 2 contrasts is unresolved."
    )


def test_what_is_partial_empty_or_failed_is_said_as_it_is(said: Callable[[Values], str]) -> None:
    assert said({}) == "No trial has ended yet."
    assert said({1.0: [90.0]}) == "1 of 15 trials has ended, and no pair of an arm and its baseline among them."
    assert said({1.0: ["failed"] * 5, 2.0: ["failed"]}) == (
        "All 6 trials that ended failed without a result, for reasons outside of training: nothing can be judged."
    )
    partial = said({1.0: [90.0, 90.2], 2.0: [95.0, 95.1]})
    assert partial.startswith("After 4 of 15 trials: k=2 against k=1 is unresolved: +4.95 points of top-1 ")
    assert partial.endswith("no interval, n = 2; 1 of 2 contrasts is without data.")
    dead = said({1.0: ["dead"] * 5, 2.0: ["dead"] * 5, 4.0: ["dead"] * 5})
    assert "in no pair did both train" in dead


def test_a_study_that_was_cut_or_looked_at_before_says_so(
    study: Study, results_of: Callable[[Study, Values], list[TrialResult]]
) -> None:
    table = {1.0: BASE, 2.0: [95.0, 95.4, 94.8, 95.2, 95.3], 4.0: ["stopped"] * 5}
    found: StudyAnalysis = analyse(study, results_of(study, table), looks=Looks(own=(3,)))
    assert headline(found).startswith("Exploratory: k=2 is better than k=1 by 5.14 points of top-1 accuracy ")
    assert "n = 5 (after a look at 3)" in headline(found)


def test_counts_alone_make_a_sentence_too() -> None:
    assert counts_headline({"unresolved": 3, "better": 2, "worse": 1}) == (
        "Of 6 contrasts 2 are better, 1 is worse and 3 are unresolved."
    )
    assert counts_headline({"better": 1}) == "Of 1 contrast 1 is better."
    assert counts_headline({}) == ""


def test_numbers_have_a_true_minus_and_two_digits_of_what_is_not_known() -> None:
    assert show_number(-0.693, "+.2f") == "−0.69"
    assert show_number(float("nan")) == "-"
    assert [decimals_for(width) for width in (0.41, 3.3, 12.0, 0.0093, float("inf"))] == [2, 1, 0, 4, 2]
