"""How torch computes for a trial: what its recipe asks for on each device, and nothing that a trial before it left."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from feed_shapes import FeedShapes
from interrupted import assert_same, killed_after

from paribus.recipe import Numerics, Recipe, RecipeError, Seeds, trial_id
from paribus.training import Checkpoints, TrainingError, fit
from paribus.training.device import autocast, compute_as, same_each_time
from paribus.training.train_state import TrainState

# Few steps, for convolutions of float16 are slow on a CPU.
HALF = {"numerics.precision": "float16", "training.clip_norm": 1.0, "training.ema_decay": 0.9, "budget": "6 steps"}
CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    kept = (
        torch.are_deterministic_algorithms_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        torch.backends.cuda.matmul.fp32_precision,
        torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark,
    )
    yield
    torch.use_deterministic_algorithms(kept[0])
    torch.utils.deterministic.fill_uninitialized_memory = kept[1]  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.fp32_precision = kept[2]
    torch.backends.cudnn.conv.fp32_precision = kept[3]  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = kept[4]


def asked_of_a_gpu() -> tuple[str, str, bool, bool]:
    """The precision of float32 in products and in convolutions, deterministic algorithms, cuDNN's search."""
    return (
        torch.backends.cuda.matmul.fp32_precision,
        torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        torch.are_deterministic_algorithms_enabled(),
        torch.backends.cudnn.benchmark,
    )


def test_on_a_gpu_each_trial_computes_as_its_own_recipe_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    compute_as(Numerics(precision="tf32", deterministic=False), GPU)
    assert asked_of_a_gpu() == ("tf32", "tf32", False, True)
    compute_as(Numerics(), GPU)
    assert asked_of_a_gpu() == ("ieee", "ieee", True, False)
    assert not torch.utils.deterministic.fill_uninitialized_memory, "it writes every tensor twice"  # type: ignore[attr-defined]
    compute_as(Numerics(precision="bfloat16", deterministic=False), GPU)
    assert asked_of_a_gpu() == ("ieee", "ieee", False, True)


def test_on_a_cpu_nothing_of_it_is_left_by_a_trial_before() -> None:
    compute_as(Numerics(), GPU)
    compute_as(Numerics(), CPU)
    assert not torch.are_deterministic_algorithms_enabled()


def test_what_has_no_deterministic_algorithm_is_said_with_what_to_do() -> None:
    compute_as(Numerics(), GPU)
    with pytest.raises(TrainingError, match=r"'put_'.*numerics\.deterministic=False"), same_each_time():
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.tensor([1.0, 2.0]))
    with pytest.raises(RuntimeError, match="another fault"), same_each_time():
        raise RuntimeError("another fault")


@pytest.mark.parametrize(
    ("precision", "found"), [("float32", None), ("bfloat16", torch.bfloat16), ("float16", torch.float16)]
)
def test_a_net_computes_in_the_precision_that_is_named(precision: str, found: torch.dtype | None) -> None:
    with autocast(CPU, Numerics(precision=precision)):  # type: ignore[arg-type]
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is (found or torch.float32)


def test_tf32_is_refused_where_no_gpu_is_asked_for() -> None:
    with pytest.raises(RecipeError, match=r"'tf32'.*resources\.gpus is 0"):
        Recipe().replace({"numerics.precision": "tf32"})
    assert Recipe().replace({"numerics.precision": "tf32", "resources.gpus": 1.0}).numerics.precision == "tf32"


def test_determinism_is_no_new_trial_and_doing_without_it_is_one(seeds: Seeds) -> None:
    ids = [trial_id(Recipe().replace({"numerics.deterministic": each}), seeds, "data") for each in (True, False)]
    assert ids[0] == trial_id(Recipe(), seeds, "data") != ids[1]


class TestFloat16:
    def test_it_trains_as_float32_does_but_for_the_steps_that_it_cannot_hold(
        self, feed: object, tiny: Recipe, seeds: Seeds
    ) -> None:
        recipe = tiny.replace(HALF)
        half, plain = (
            fit(recipe.replace({"numerics.precision": each}), seeds, feed)  # type: ignore[arg-type]
            for each in ("float16", "float32")
        )
        held = np.isfinite(half.curves["grad_norm"])
        assert held.sum() >= 3, "the scale of the loss is halved until its gradients can be held"
        assert half.metrics["train_loss"] == pytest.approx(plain.metrics["train_loss"], rel=0.1)
        assert half.metrics["grad_norm"] == pytest.approx(plain.metrics["grad_norm"], rel=0.2)

    def test_a_step_that_it_cannot_hold_is_not_taken(self, tiny: Recipe, seeds: Seeds) -> None:
        state = TrainState(tiny.replace(HALF), seeds, FeedShapes(1, 4), CPU)  # type: ignore[arg-type]
        images, labels = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(4)
        before = state.vectors[0].clone()
        state.scaler.load_state_dict({**state.scaler.state_dict(), "scale": 2.0**40})
        assert not torch.isfinite(state.step(images, labels, 0, lr=0.1)[1])
        assert torch.equal(state.vectors[0], before)
        state.scaler.load_state_dict({**state.scaler.state_dict(), "scale": 1.0})
        assert torch.isfinite(state.step(images, labels, 1, lr=0.1)[1])
        assert not torch.equal(state.vectors[0], before)

    def test_it_is_gone_on_with_to_the_bit_at_the_scale_that_it_had(
        self, feed: object, tiny: Recipe, seeds: Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recipe = tiny.replace(HALF)
        whole = fit(recipe, seeds, feed)  # type: ignore[arg-type]
        killed_after(monkeypatch, 4, recipe, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))
        resumed = fit(recipe, seeds, feed, checkpoint=Checkpoints(tmp_path))  # type: ignore[arg-type]
        assert_same(whole, resumed)
        assert whole.weights == resumed.weights
