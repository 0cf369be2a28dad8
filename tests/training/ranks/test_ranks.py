"""A trial on several ranks is the trial on one, whatever becomes of the ranks."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import ranked
import torch
from data_sources import changed
from ranked import CASES
from sandbox import kill, words_of

from paribus.data import DataError, open_feed
from paribus.recipe import Recipe, RecipeError, Seeds, preset
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.source import File
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.training import Checkpoints, Result, TrainingError, epochs, fit
from paribus.training.checkpoints.weights import decode_weights
from paribus.training.errors import RankLostError

# 50 samples a batch are 17 + 17 + 16 of three ranks; 359 evaluation samples are 60 + 60 + 59 twice, and 1 + 0 + 0.
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
        "optimizer.decay_norms_and_biases": False,
        "budget": "12 steps",
    }
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def saved(home: Path) -> Path:
    """Where the trial on one rank leaves checkpoints."""
    return home / "saved"


@pytest.fixture(scope="module")
def alone(home: Path, saved: Path) -> Result:
    torch.set_num_threads(1)
    return fit(RECIPE, Seeds.draw(0, 0), open_feed(RECIPE, home), checkpoint=Checkpoints(saved, every_steps=7))


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert ranks_here() == []


def ranks_here() -> list[psutil.Process]:
    """The other ranks that this process started and that still run."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # another test's, ended and not yet collected
            if "paribus.training.ranks.rank" in words_of(child):
                found.append(child)
    return found


def on_ranks(recipe: Recipe, num: int) -> Recipe:
    return recipe.replace({"resources.ranks": num})


def assert_same(one: Result, other: Result) -> None:
    """The same up to rounding."""
    np.testing.assert_allclose(one.curves["loss"][:3], other.curves["loss"][:3], rtol=1e-6)
    np.testing.assert_allclose(one.curves["loss"], other.curves["loss"], rtol=1e-5)
    np.testing.assert_allclose(one.curves["grad_norm"], other.curves["grad_norm"], rtol=1e-4)
    assert one.stream_hashes == other.stream_hashes
    assert one.examples is not None
    assert other.examples is not None
    assert list(one.examples.keys) == list(other.examples.keys)
    np.testing.assert_array_equal(one.examples.correct, other.examples.correct)
    np.testing.assert_allclose(one.examples.log_likelihood, other.examples.log_likelihood, atol=1e-4)
    for name in ("top1", "top5", "dead_channels", "predicted_classes"):
        assert one.metrics[name] == other.metrics[name]
    weights, others = (decode_weights(result.weights or b"") for result in (one, other))
    assert list(weights) == list(others)
    for name, values in weights.items():
        torch.testing.assert_close(values, others[name], rtol=1e-4, atol=1e-5, msg=name)


def test_a_trial_on_several_ranks_is_the_trial_on_one(home: Path, alone: Result, seeds: Seeds) -> None:
    recipe = on_ranks(RECIPE, 3)
    assert_same(alone, fit(recipe, seeds, open_feed(recipe, home)))


def test_a_trial_goes_on_with_any_number_of_ranks(home: Path, saved: Path, alone: Result, seeds: Seeds) -> None:
    recipe = on_ranks(RECIPE, 2)
    assert Checkpoints(saved).newest_step() == 7
    two = fit(recipe, seeds, open_feed(recipe, home), checkpoint=Checkpoints(saved, every_steps=5))
    assert_same(alone, two)
    assert [file.name[:17] for file in sorted(saved.iterdir())] == ["step-000000000007", "step-000000000010"]
    assert_same(alone, fit(RECIPE, seeds, open_feed(RECIPE, home), checkpoint=Checkpoints(saved)))


def broken_set(folder: Path, *bad: str) -> Path:
    """The synthetic set in one shard, with files that do not decode."""

    def change(split: str, row: int, file: File) -> File:
        return replace(file, data=b"no image", pixels=None) if f"{split}-{row:04d}" in bad else file

    make_shards(changed(synthetic(), change), folder, keep_undecodable=True)
    return folder


def test_ranks_may_be_more_than_shards_and_samples_of_a_batch(tmp_path: Path, seeds: Seeds) -> None:
    """One shard; batches of two, and of one where a sample does not decode; the second rank evaluates nothing."""
    recipe = preset("synthetic").replace(
        {
            "model.depth": 10,
            "model.dropout": 0.3,
            "model.dropout_placement": "branch",
            "data.shards": str(broken_set(tmp_path / "set", "train-0003", "train-0040")),
            "data.batch_size": 2,
            "data.eval_batch_size": 1,
            "data.max_undecodable": 0.05,
            "augment.cutout": 2,
            "numerics.channels_last": True,
            "optimizer.lr": 1e-3,
            "budget": "1 epochs",
        }
    )
    one = fit(recipe, seeds, open_feed(recipe, tmp_path))
    assert_same(one, fit(on_ranks(recipe, 2), seeds, open_feed(recipe, tmp_path)))


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One undecodable sample in the share of each of two ranks, in the second and the third batch of four."""
    folder = tmp_path_factory.mktemp("broken")
    recipe = Recipe().replace({"data.shards": str(broken_set(folder / "whole")), "data.batch_size": 4})
    batches = [batch.keys for batch in open_feed(recipe, folder).batches(1, 2, 0)]
    return broken_set(folder / "set", batches[1][0], batches[2][3])


def test_norms_and_counts_are_those_of_the_whole_batch(broken: Path) -> None:
    with ranked.beside(broken) as ranks:
        together = ranked.normed_together(ranks)
        refused, seen = ranked.joined_until_refused(ranks, broken)
    for name, case in CASES.items():
        whole, shares = ranked.normed(case, case.norm(), slice(None)), together[name]
        rtol, atol = (2e-2, 2e-2) if case.dtype is torch.bfloat16 else (1e-4, 3e-5)

        def close(
            given: torch.Tensor, expected: torch.Tensor, name: str = name, r: float = rtol, a: float = atol
        ) -> None:
            torch.testing.assert_close(given, expected, rtol=r, atol=a, msg=lambda text: f"{name}: {text}")

        close(torch.cat([share.output for share in shares]), whole.output)
        close(torch.cat([share.grad for share in shares]), whole.grad)
        close(torch.cat([share.evaluated for share in shares]), whole.evaluated)
        for share in shares:
            for given, expected in zip(share.parameters + share.buffers, whole.parameters + whole.buffers, strict=True):
                close(given, expected)
    assert "data.max_undecodable allows 1 of 64" in refused
    assert [len(keys) for keys in seen] == [4, 3], "the second is the first of several ranks to be one too many"


def test_a_killed_rank_is_told_at_once(home: Path, seeds: Seeds) -> None:
    recipe = on_ranks(RECIPE.replace({"budget": "100 epochs"}), 2)
    running = epochs(recipe, seeds, open_feed(recipe, home))
    next(running)
    kill(ranks_here()[0].pid)
    start = time.monotonic()
    with pytest.raises(RankLostError, match="rank 1 of 2 was killed by SIGKILL"):
        next(running)
    assert time.monotonic() - start < 30


def test_what_a_rank_raises_is_raised_here(tmp_path: Path, seeds: Seeds) -> None:
    """A flipped byte that only the second rank reads."""
    folder = broken_set(tmp_path / "set")
    recipe = preset("synthetic").replace({"data.shards": str(folder), "data.cache": "never", "data.batch_size": 8})
    first = next(open_feed(recipe, tmp_path).batches(seeds.order, seeds.augment, 0)).keys
    shard = folder / "train-000000.tar"
    content = bytearray(shard.read_bytes())
    content[content.index(f"{first[-1]}.png".encode()) + 512 + 100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(DataError, match=f"sample '{first[-1]}' fails its checksum") as raised:
        fit(on_ranks(recipe, 2), seeds, open_feed(recipe, tmp_path))
    assert raised.value.__notes__ == ["raised by rank 1 of 2"]


def test_a_feed_that_cannot_be_shared_is_refused(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    with pytest.raises(TrainingError, match="a DigitsFeed cannot be shared among 2 ranks"):
        fit(on_ranks(tiny, 2), seeds, feed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resources.gpus": 1.5}, "a share of one GPU, or whole ones"),
        ({"resources.gpus": 4.0, "resources.ranks": 2}, "ranks = 2 does not fit gpus = 4"),
        ({"resources.gpus": 0.5, "resources.ranks": 2}, "ranks = 2 does not fit gpus = 0.5"),
        ({"resources.ranks": 0}, "resources.ranks"),
    ],
)
def test_a_rank_has_a_gpu_of_its_own_where_there_are_any(changes: dict[str, object], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Recipe().replace(changes)


@pytest.mark.parametrize(
    ("changes", "num"),
    [({}, 1), ({"resources.gpus": 0.5}, 1), ({"resources.gpus": 4.0}, 4), ({"resources.ranks": 3}, 3)],
)
def test_there_is_a_rank_for_each_whole_gpu(changes: dict[str, object], num: int) -> None:
    assert Recipe().replace(changes).resources.num_ranks == num
