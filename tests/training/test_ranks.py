"""A trial on several ranks is the trial on one, whatever becomes of the ranks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from paribus.data import open_feed
from paribus.recipe import Recipe, Seeds
from paribus.training import Result, fit
from paribus.training.weights import decode_weights

# 50 samples a batch: 25 + 25, or 17 + 17 + 16; 197 of the evaluation's 359 in batches that leave ranks without any.
RECIPE = Recipe().replace(
    {
        "model.depth": 10,
        "model.width": 0.5,
        "model.dropout": 0.3,
        "model.dropout_placement": "branch",
        "model.stochastic_depth.survival": 0.8,
        "model.stochastic_depth.mode": "row",
        "data.batch_size": 50,
        "data.train_fraction": 0.2,
        "data.eval_batch_size": 179,
        "augment.crop": "pad",
        "augment.pad": 1,
        "training.ema_decay": 0.9,
        "training.clip_norm": 2.0,
        "training.label_smoothing": 0.1,
        "budget": "12 steps",
    }
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def alone(home: Path) -> Result:
    torch.set_num_threads(1)
    return fit(RECIPE, Seeds.draw(0, 0), open_feed(RECIPE, home))


def assert_same(one: Result, other: Result) -> None:
    """The same up to rounding."""
    np.testing.assert_allclose(one.curves["loss"][:3], other.curves["loss"][:3], rtol=1e-6)
    np.testing.assert_allclose(one.curves["loss"], other.curves["loss"], rtol=1e-5)
    np.testing.assert_allclose(one.curves["grad_norm"], other.curves["grad_norm"], rtol=1e-5)
    assert one.stream_hashes == other.stream_hashes
    assert one.examples is not None and other.examples is not None
    assert list(one.examples.keys) == list(other.examples.keys)
    np.testing.assert_array_equal(one.examples.correct, other.examples.correct)
    np.testing.assert_allclose(one.examples.log_likelihood, other.examples.log_likelihood, atol=1e-4)
    for name in ("top1", "top5", "dead_channels", "predicted_classes"):
        assert one.metrics[name] == other.metrics[name]
    weights, others = (decode_weights(result.weights or b"") for result in (one, other))
    assert list(weights) == list(others)
    for name, values in weights.items():
        torch.testing.assert_close(values, others[name], rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("num", [2, 3])
def test_a_trial_on_several_ranks_is_the_trial_on_one(num: int, home: Path, alone: Result, seeds: Seeds) -> None:
    recipe = RECIPE.replace({"resources.ranks": num})
    assert_same(alone, fit(recipe, seeds, open_feed(recipe, home)))
