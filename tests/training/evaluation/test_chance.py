"""Nets that come to their end at chance are `stuck`, and the bound is the binomial one."""

import numpy as np
import pytest
import torch
from scipy import stats

from paribus.recipe import Recipe, Seeds
from paribus.training import fit
from paribus.training.evaluation.chance import is_stuck, most_by_guessing, stuck_reason


@pytest.mark.parametrize(("num_examples", "most_frequent"), [(10, 1), (397, 42), (1000, 500), (10_000, 100)])
def test_the_bound_is_the_binomials_one_sided_99_9_percent_point(num_examples: int, most_frequent: int) -> None:
    guesses = stats.binom(num_examples, most_frequent / num_examples)
    bound = most_by_guessing(num_examples, most_frequent)
    assert bound == guesses.ppf(0.999)
    assert guesses.sf(bound) <= 0.001 < guesses.sf(bound - 1)


def test_one_example_above_the_bound_is_trained_and_the_bound_itself_is_stuck() -> None:
    bound = most_by_guessing(397, 42)
    assert is_stuck(100 * bound / 397, 397, 42)
    assert not is_stuck(100 * (bound + 1) / 397, 397, 42)


def test_a_frequent_class_raises_what_guessing_gives() -> None:
    assert most_by_guessing(1000, 100) < most_by_guessing(1000, 600)
    assert is_stuck(62.0, 1000, 600)
    assert not is_stuck(62.0, 1000, 100)
    assert is_stuck(100.0, 50, 50), "with one class there is nothing to learn"


@pytest.mark.parametrize("most_frequent", [0, 11])
def test_counts_that_no_split_has_are_refused(most_frequent: int) -> None:
    with pytest.raises(ValueError, match="of 10 examples cannot be"):
        most_by_guessing(10, most_frequent)


def test_a_net_that_learns_nothing_is_stuck_and_keeps_all_that_a_finished_one_has(
    feed: object, tiny: Recipe, seeds: Seeds
) -> None:
    result = fit(tiny.replace({"optimizer.lr": 1e-9, "budget": "1 epochs"}), seeds, feed)  # type: ignore[arg-type]
    assert (result.outcome, result.outcome_step, result.num_steps) == ("stuck", None, 5)
    assert result.examples is not None
    assert result.weights is not None
    assert result.reason == stuck_reason(result.metrics["top1"], 197, result.examples.most_frequent)
    assert f"top-1 {result.metrics['top1']:.2f} % of 197 examples is at chance" in result.reason
    labels = torch.cat([batch.labels for batch in feed.evaluation()])  # type: ignore[attr-defined]
    assert result.examples.most_frequent == np.bincount(labels.numpy()).max()


def test_a_net_that_learns_is_finished_and_has_no_reason(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    result = fit(tiny.replace({"budget": "6 epochs"}), seeds, feed)  # type: ignore[arg-type]
    assert (result.outcome, result.reason) == ("finished", "")
    assert not is_stuck(result.metrics["top1"], 197, result.examples.most_frequent)  # type: ignore[union-attr]
