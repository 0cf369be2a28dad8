"""Divergence and death of real nets, and what a net is called that is neither."""

import numpy as np
import pytest
import torch

from paribus.recipe import Recipe, Seeds
from paribus.training import fit
from paribus.training.progress import DEAD_STEPS, Progress
from paribus.training.train_state import TrainState


def wild(scale: float, **changes: object) -> Recipe:
    return Recipe().replace(
        {
            "model.depth": 40,
            "model.norm": "none",
            "model.residual_scale": scale,
            "optimizer.lr": 1.0,
            "budget": "16 epochs",
            **changes,
        }
    )


def test_an_unscaled_deep_net_without_norm_diverges_at_a_high_rate(feed: object, seeds: Seeds) -> None:
    result = fit(wild(1.0), seeds, feed)  # type: ignore[arg-type]
    assert result.outcome == "diverged"
    assert result.outcome_step == result.num_steps == len(result.curves["loss"])
    assert not result.curves["loss"][-1] <= 1e3
    assert (result.curves["loss"][:-1] <= 1e3).all()
    assert result.metrics == {}
    assert result.examples is None


def test_a_damped_one_dies_and_the_step_is_that_of_its_last_breath(feed) -> None:  # type: ignore[no-untyped-def]
    digits = type(feed)(num_train=1400, num_eval=397)
    recipe = wild(0.2, budget="6 epochs")
    # Chaos decides between machines whether one replicate ends so; that three of three do not is another thing.
    results = (fit(recipe, Seeds.draw(0, replicate), digits) for replicate in range(3))
    result = next(result for result in results if result.outcome == "dead")
    assert result.outcome_step is not None
    assert result.num_steps == result.outcome_step + DEAD_STEPS - 1
    # Nothing reaches the classifier but its bias, whose gradient is all there is.
    assert result.curves["grad_norm"][result.outcome_step - 1 :].max() < 1
    assert result.examples is None
    assert "top1" in result.metrics  # the last evaluation while it lived


def test_a_finite_loss_above_the_bound_is_divergence_too(feed: object, seeds: Seeds) -> None:
    result = fit(wild(0.1, **{"training.divergence_loss": 1e-3}), seeds, feed)  # type: ignore[arg-type]
    assert (result.outcome, result.outcome_step) == ("diverged", 1)
    assert np.isfinite(result.curves["loss"]).all()


def test_the_same_net_with_norm_lives(feed: object, seeds: Seeds) -> None:
    result = fit(wild(0.3, **{"model.norm": "batch", "budget": "2 epochs"}), seeds, feed)  # type: ignore[arg-type]
    assert (result.outcome, result.outcome_step) == ("finished", None)


def test_features_below_zero_are_no_death(feed: object, seeds: Seeds) -> None:
    """A tanh gate that is shut the wrong way round turns every feature negative, and the net learns all the same."""
    excited = {"model.se.place": "post", "model.se.gate": "tanh"}
    recipe = Recipe().replace({"model.family": "resnet", "model.depth": 8, "model.width": 0.25, **excited})
    train_state = TrainState(recipe, seeds, feed, torch.device("cpu"))  # type: ignore[arg-type]
    train_state.net.stages[-1][-1].se.expand.bias.data.fill_(-5.0)  # type: ignore[index, union-attr]
    batch = next(feed.batches(0, 0, 0))  # type: ignore[attr-defined]
    assert train_state.net.pooled(batch.images).max() <= 0
    assert train_state.step(batch.images, batch.labels, 0, lr=0.1)[2] > 0


def measured(progress: Progress, *steps: tuple[float, float]) -> Progress:
    for loss, peak in steps:
        progress.advance(["a"], 0.1, torch.tensor([loss, 1.0, peak]))
    progress.settle()
    return progress


def test_a_net_that_wakes_up_again_is_not_dead() -> None:
    pause = [(2.3, 0.0)] * (DEAD_STEPS - 1)
    progress = measured(Progress(1e3), *pause, (2.3, 1.0), *pause)
    assert progress.outcome == "finished"
    assert measured(progress, (2.3, 0.0)).outcome == "dead"
    assert progress.outcome_step == DEAD_STEPS + 1


def test_steps_read_late_give_the_same_step_of_divergence() -> None:
    progress = Progress(1e3)
    for loss in (1.0, 2.0, float("nan"), 5.0):
        progress.advance(["a"], 0.1, torch.tensor([loss, 1.0, 1.0]))
        progress.settle(every=16)
    assert progress.outcome == "finished"
    progress.settle()
    assert (progress.outcome, progress.outcome_step) == ("diverged", 3)
    assert len(progress.curves["loss"]) == 3


@pytest.mark.parametrize(("silent", "outcome"), [(1, "finished"), (2, "dead")])
def test_at_the_end_of_the_budget_two_silent_steps_are_death(silent: int, outcome: str) -> None:
    progress = measured(Progress(1e3), (2.3, 1.0), *[(2.3, 0.0)] * silent)
    progress.close_epoch(expected_step=1 + silent, is_last=True)
    assert progress.outcome == outcome


def test_nan_activations_are_divergence_and_not_death() -> None:
    progress = measured(Progress(1e3), (float("nan"), float("nan")))
    assert progress.outcome == "diverged"
