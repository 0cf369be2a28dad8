"""The loop as a notebook calls it."""

import random
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from paribus.metrics.known import METRICS, values_of
from paribus.recipe import Recipe, Seeds
from paribus.training import Epoch, TrainingError, epochs, fit
from paribus.training.evaluation.evaluate import torch_mean


def test_a_trial_learns_digits_and_reports_every_epoch(feed: object, seeds: Seeds) -> None:
    seen: list[Epoch] = []
    result = fit(Recipe(budget="8 epochs"), seeds, feed, seen.append)  # type: ignore[arg-type]
    assert result.outcome == "finished"
    assert [epoch.epoch for epoch in seen] == list(range(1, 9))
    assert result.examples is not None
    # At its end a trial has every metric; an epoch has those that are logged at every evaluation.
    assert result.metrics == {**values_of(result.examples, torch_mean), **seen[-1].metrics}
    assert result.metrics.keys() - seen[-1].metrics.keys() == {n for n, m in METRICS.items() if not m.every_epoch}
    assert result.metrics["top1"] > 80
    assert result.metrics["train_loss"] < seen[0].metrics["train_loss"]
    assert set(result.metrics) >= {"train_loss", "top1", "top5", "log_likelihood", "eval_loss", "lr", "grad_norm"}
    assert set(result.metrics) >= {"dead_channels", "images_per_s", "data_wait", "predicted_classes"}
    assert result.stream_hashes == tuple(epoch.stream_hash for epoch in seen)
    for name in ("step", "loss", "lr", "grad_norm"):
        np.testing.assert_array_equal(result.curves[name], np.concatenate([epoch.curve[name] for epoch in seen]))
    assert result.curves["step"].tolist() == list(range(1, 41))
    assert result.examples is not None
    assert 100 * result.examples.correct.mean() == pytest.approx(result.metrics["top1"])
    assert result.durations["total_s"] == pytest.approx(
        sum(v for k, v in result.durations.items() if k != "total_s"), rel=1e-9
    )
    assert result.peak_memory_mib > 50
    assert result.device == "cpu"


def test_waiting_for_data_is_a_warning_that_the_feed_explains(
    monkeypatch: pytest.MonkeyPatch, feed: Any, tiny: Recipe, seeds: Seeds
) -> None:
    class Slow(type(feed)):  # type: ignore[misc]
        def batches(self, *where: int) -> Iterator[object]:
            for batch in super().batches(*where):
                time.sleep(0.05)
                yield batch

    assert fit(tiny, seeds, feed).warnings == ()
    monkeypatch.setattr("paribus.training.progress.MIN_WAIT_S", 0.1)
    seen: list[Epoch] = []
    result = fit(tiny, seeds, Slow(), seen.append)
    assert result.metrics["data_wait"] > 0.1
    assert [warning.partition(":")[0] for warning in result.warnings] == ["memory is slow"]
    assert seen[-1].warnings == result.warnings


def test_training_leaves_every_global_generator_alone(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    recipe = tiny.replace({"model.dropout": 0.3, "model.dropout_placement": "branch"})
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    fit(recipe, seeds, feed)  # type: ignore[arg-type]
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_equal(before[1], np.random.get_state())
    assert before[2] == random.getstate()


def test_the_same_trial_twice_is_the_same(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    one, other = fit(tiny, seeds, feed), fit(tiny, seeds, feed)  # type: ignore[arg-type]
    np.testing.assert_array_equal(one.curves["loss"], other.curves["loss"])
    assert one.stream_hashes == other.stream_hashes


def test_each_seed_moves_what_it_names(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    recipe = tiny.replace({"model.dropout": 0.3, "model.dropout_placement": "branch", "budget": "2 steps"})
    base = fit(recipe, seeds, feed)  # type: ignore[arg-type]
    for name in ("init", "order", "augment", "dropout"):
        changed = fit(recipe, seeds.model_copy(update={name: 1}), feed)  # type: ignore[arg-type]
        assert not np.array_equal(base.curves["loss"], changed.curves["loss"]), name
        assert (base.stream_hashes == changed.stream_hashes) == (name != "order")


def test_arms_at_one_replicate_see_the_same_stream(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    arms = [tiny.replace({"model.residual_scale": scale, "budget": "1 epochs"}) for scale in (0.1, 1.0)]
    one, other = (fit(arm, seeds, feed) for arm in arms)  # type: ignore[arg-type]
    assert one.stream_hashes == other.stream_hashes


@pytest.mark.parametrize(
    ("budget", "steps", "reported"),
    [("3 steps", 3, [3]), ("7 steps", 7, [5, 7]), ("1.4 epochs", 7, [5, 7]), ("640 examples", 10, [5, 10])],
)
def test_a_budget_may_end_within_an_epoch(
    budget: str, steps: int, reported: list[int], feed: object, tiny: Recipe, seeds: Seeds
) -> None:
    ends: list[int] = []
    result = fit(tiny.replace({"budget": budget}), seeds, feed, lambda epoch: ends.append(epoch.step))  # type: ignore[arg-type]
    assert result.num_steps == steps
    assert ends == reported
    assert "top1" in result.metrics


def test_evaluation_keeps_its_interval_and_always_ends_the_trial(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    recipe = tiny.replace({"evaluation.every_epochs": 2})
    evaluated = [("top1" in epoch.metrics) for epoch in epochs(recipe, seeds, feed)]  # type: ignore[arg-type]
    assert evaluated == [False, True, True]


def test_the_average_is_what_is_evaluated_and_training_goes_on_from_the_weights(
    feed: object, tiny: Recipe, seeds: Seeds
) -> None:
    plain = fit(tiny, seeds, feed)  # type: ignore[arg-type]
    averaged = fit(tiny.replace({"training.ema_decay": 0.8}), seeds, feed)  # type: ignore[arg-type]
    np.testing.assert_array_equal(plain.curves["loss"], averaged.curves["loss"])
    assert plain.metrics["eval_loss"] != averaged.metrics["eval_loss"]


def test_clipping_bounds_the_step_and_the_norm_is_recorded_before(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    free = fit(tiny, seeds, feed)  # type: ignore[arg-type]
    bound = fit(tiny.replace({"training.clip_norm": 1e-6}), seeds, feed)  # type: ignore[arg-type]
    assert bound.curves["grad_norm"][0] == free.curves["grad_norm"][0] > 0.1
    assert bound.curves["loss"][-1] > free.curves["loss"][-1]


@pytest.mark.parametrize("changes", [{"numerics.channels_last": True}, {"optimizer.decay_norms_and_biases": False}])
def test_layout_changes_nothing_but_rounding(
    changes: dict[str, object], feed: object, tiny: Recipe, seeds: Seeds
) -> None:
    recipe = tiny.replace({"budget": "3 steps", "optimizer.weight_decay": 0.0})
    one, other = fit(recipe, seeds, feed), fit(recipe.replace(changes), seeds, feed)  # type: ignore[arg-type]
    np.testing.assert_allclose(one.curves["loss"], other.curves["loss"], rtol=1e-4)


def test_bfloat16_trains_close_to_float32(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    recipe = tiny.replace({"budget": "2 steps"})
    half = fit(recipe.replace({"numerics.precision": "bfloat16"}), seeds, feed)  # type: ignore[arg-type]
    full = fit(recipe, seeds, feed)  # type: ignore[arg-type]
    np.testing.assert_allclose(half.curves["loss"], full.curves["loss"], rtol=0.05)
    assert not np.array_equal(half.curves["loss"], full.curves["loss"])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_named(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    with pytest.raises(TrainingError, match=r"resources.gpus = 0.5, but torch .* sees no CUDA device"):
        fit(tiny.replace({"resources.gpus": 0.5}), seeds, feed)  # type: ignore[arg-type]


def test_fewer_samples_than_a_batch_is_said(feed, tiny: Recipe, seeds: Seeds) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TrainingError, match="320 samples, fewer than one batch of 512"):
        fit(tiny.replace({"data.batch_size": 512}), seeds, type(feed)(batch_size=512))


def test_the_threads_are_those_of_the_recipe(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    fit(tiny.replace({"resources.cpus": 2.0, "budget": "1 steps"}), seeds, feed)  # type: ignore[arg-type]
    assert torch.get_num_threads() == 2


def test_what_a_driver_needs_comes_without_torch() -> None:
    import subprocess
    import sys

    code = "import sys, paribus.training, paribus.training.errors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
