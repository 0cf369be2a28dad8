"""The same loop on a CUDA device."""

from pathlib import Path

import numpy as np
import pytest
import torch
from factors import SIBLINGS, Sibling
from interrupted import assert_same

from paribus.data import open_feed, open_originals
from paribus.models.build import build
from paribus.recipe import Recipe, Seeds, preset
from paribus.training import Checkpoints, fit
from paribus.training.checkpoints.weights import encode_weights
from paribus.training.evaluation.scores import Trained, device_called, scores

pytestmark = pytest.mark.gpu
ALL = {
    "training.ema_decay": 0.9,
    "training.clip_norm": 2.0,
    "model.dropout": 0.3,
    "model.dropout_placement": "branch",
    "numerics.channels_last": True,
    "resources.gpus": 1.0,
}


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw"])
def test_a_trial_trains_and_resumes(optimizer: str, feed: object, tiny: Recipe, seeds: Seeds, tmp_path: Path) -> None:
    recipe = tiny.replace({**ALL, "optimizer.kind": optimizer})
    whole = fit(recipe, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=7))  # type: ignore[arg-type]
    resumed = fit(recipe, seeds, feed, checkpoint=Checkpoints(tmp_path))  # type: ignore[arg-type]
    assert whole.outcome == resumed.outcome == "finished"
    assert whole.device != "cpu"
    assert_same(whole, resumed)


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16", "float16"])
def test_a_trial_trained_twice_is_the_same_to_the_bit(precision: str, feed: object, tiny: Recipe, seeds: Seeds) -> None:
    recipe = tiny.replace({**ALL, "numerics.precision": precision})
    between = recipe.replace({"numerics.precision": "bfloat16", "numerics.deterministic": False})
    one, _, other = (fit(each, seeds, feed) for each in (recipe, between, recipe))  # type: ignore[arg-type]
    assert_same(one, other)
    assert one.weights == other.weights


@pytest.mark.parametrize("sibling", SIBLINGS.values(), ids=lambda sibling: sibling.base.family)
def test_every_family_has_deterministic_algorithms_alone(sibling: Sibling, seeds: Seeds, tmp_path: Path) -> None:
    changes = {"model": sibling.busiest.model_dump(), "budget": "3 steps", "resources.gpus": 1.0}
    recipe = preset("synthetic").replace({**changes, "data.size": max(sibling.size, 32)})
    one, other = (fit(recipe, seeds, open_feed(recipe, tmp_path)) for _ in range(2))
    assert_same(one, other)


def test_the_step_of_divergence_is_exact_though_it_is_read_late(feed: object, seeds: Seeds) -> None:
    recipe = Recipe().replace({"model.depth": 40, "model.norm": "none", "optimizer.lr": 1.0, "resources.gpus": 1.0})
    result = fit(recipe, seeds, feed)  # type: ignore[arg-type]
    assert result.outcome == "diverged"
    assert result.outcome_step == len(result.curves["loss"])
    assert not result.curves["loss"][-1] <= 1e3


def test_the_first_loss_is_that_of_the_cpu(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    one = fit(tiny.replace({"budget": "1 steps"}), seeds, feed)  # type: ignore[arg-type]
    other = fit(tiny.replace({"budget": "1 steps", "resources.gpus": 1.0}), seeds, feed)  # type: ignore[arg-type]
    np.testing.assert_allclose(one.curves["loss"], other.curves["loss"], rtol=1e-3)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_a_trial_on_two_gpus_is_the_trial_on_one(tmp_path: Path, tiny: Recipe, seeds: Seeds) -> None:
    recipe = tiny.replace({**ALL, "budget": "6 steps"})
    both = recipe.replace({"resources.gpus": 2.0})
    one, two = (fit(each, seeds, open_feed(each, tmp_path)) for each in (recipe, both))
    np.testing.assert_allclose(one.curves["loss"], two.curves["loss"], rtol=1e-3)
    assert one.stream_hashes == two.stream_hashes
    assert two.examples is not None
    assert len(two.examples.correct) == len(two.examples.keys)


@pytest.mark.parametrize("crops", ["1", "12", "dense"])
def test_a_trained_net_answers_as_on_the_cpu(crops: str, tiny: Recipe, tmp_path: Path) -> None:
    recipe = preset("synthetic").replace({"model": tiny.model})
    originals = open_originals(recipe, tmp_path)
    weights = encode_weights(build(recipe.model, originals.channels, originals.num_classes, init_seed=1))
    devices = (torch.device("cpu"), device_called("", recipe))
    assert devices[1].type == "cuda", "it is preferred where it is there"
    rows = np.arange(len(originals.keys))
    on_cpu, on_gpu = (scores(Trained(recipe, weights, originals, each), originals, rows, crops) for each in devices)
    np.testing.assert_allclose(on_gpu, on_cpu, atol=1e-3)
