"""When two arms are one training done twice: every pair must say so, and one of them must prove it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from paribus.analysis.contrasts import pairs_of
from paribus.analysis.same_training import is_same_training
from paribus.metrics.examples import Examples
from paribus.study import Study, TrialResult

LIKELY = np.array([-0.1, -0.2], dtype=np.float32)


def same(study: Study, results: list[TrialResult]) -> bool:
    trials = {(result.arm, result.replicate): result for result in results}
    return is_same_training(pairs_of(study.arms[1], study.arms[0], trials, (1, 2, 3)), trials)


@pytest.fixture
def twice(study: Study, results_of) -> list[TrialResult]:
    """Two pairs that agree in all, the last of the four trials being the arm's second."""
    return results_of(study, {1.0: [90.0, 91.0], 2.0: [90.0, 91.0]})


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"top1": 91.0, "log_likelihood": -0.09, "eval_loss": 0.09 + 1e-15}},
        {"metrics": {"top1": 91.1, "log_likelihood": -0.09, "eval_loss": 0.09}},
        {"metrics": {"top1": 91.0, "log_likelihood": -0.09, "eval_loss": 0.09, "train_loss": 0.5}},
        {"outcome": "stuck"},
        {"outcome_step": 7},
        {"num_steps": 99},
    ],
)
def test_one_number_that_differs_in_one_pair_makes_two_trainings(study: Study, twice, changes) -> None:
    assert same(study, twice)
    assert not same(study, [*twice[:3], replace(twice[3], **changes)])


def test_likelihoods_of_examples_are_compared_where_both_have_them(study: Study, twice) -> None:
    def given(*arrays: np.ndarray | None) -> bool:
        kept = [None if array is None else Examples(log_likelihood=array) for array in arrays]
        return same(study, [replace(r, examples=e) for r, e in zip(twice, kept, strict=True)])

    assert given(LIKELY, LIKELY, LIKELY, LIKELY.copy())
    assert not given(LIKELY, LIKELY, LIKELY, np.nextafter(LIKELY, 0))
    assert given(LIKELY, None, LIKELY, LIKELY)
    assert given(None, LIKELY, LIKELY, None)


def test_a_metric_that_one_release_kept_and_the_other_did_not_makes_no_difference(study: Study, twice) -> None:
    newer = replace(twice[3], metrics={**twice[3].metrics, "brier": 0.1, "ece": 2.0})
    assert same(study, [*twice[:3], newer])
    assert not same(study, [twice[0], replace(twice[1], metrics={**twice[1].metrics, "brier": 0.2}), twice[2], newer])


def test_equal_counts_of_right_answers_alone_prove_nothing(study: Study, twice) -> None:
    for name, proves in (("top5", False), ("train_loss", True), ("eval_loss", True), ("log_likelihood", True)):
        given = [replace(r, metrics={"top1": r.metrics["top1"], name: 3.0}) for r in twice]
        assert same(study, given) is proves


def test_equal_weights_prove_it_and_empty_ones_do_not(study: Study, twice) -> None:
    bare = [replace(r, metrics={"top1": r.metrics["top1"]}) for r in twice]
    assert same(study, [replace(r, weights=f"w{r.replicate}") for r in bare])
    assert not same(study, [replace(r, weights="") for r in bare])
    assert not same(study, [replace(r, weights=f"w{i}") for i, r in enumerate(bare)])


def test_a_pair_that_failed_alike_agrees_but_proves_nothing_alone(study: Study, twice, results_of) -> None:
    one = [r for r in twice if r.replicate == 1]
    dead = [replace(r, outcome="dead", outcome_step=40, metrics={}) for r in twice if r.replicate == 2]
    assert same(study, one + dead)
    assert not same(study, dead)
    assert not same(study, [*one, dead[0], replace(dead[1], outcome_step=41)])
    # A pair that survived must prove it: without a continuous number it does not.
    bare = [replace(r, metrics={"top1": 91.0}) for r in twice if r.replicate == 2]
    assert not same(study, one + bare)
    assert not same(study, [])


def test_examples_are_compared_in_every_column_that_both_have_and_in_no_other(study: Study, twice) -> None:
    right = np.array([1, 0], dtype=np.uint8)
    one = Examples(log_likelihood=LIKELY, correct=right)
    other = Examples(log_likelihood=LIKELY, correct=right[::-1].copy())
    assert not same(study, [replace(r, examples=e) for r, e in zip(twice, (one, one, one, other), strict=True)])
    fewer = Examples(log_likelihood=LIKELY)
    assert same(study, [replace(r, examples=e) for r, e in zip(twice, (fewer, fewer, fewer, one), strict=True)])
    assert same(study, [replace(r, examples=e) for r, e in zip(twice, (one, one, fewer, fewer), strict=True)])


def test_a_metric_that_the_arm_lacks_and_the_baseline_has_makes_no_difference(study: Study, twice) -> None:
    assert same(study, [replace(twice[0], metrics={**twice[0].metrics, "brier": 0.1}), *twice[1:]])
    assert same(study, [replace(r, metrics={**r.metrics, "brier": 0.1}) for r in twice[:2]] + twice[2:])
