"""`data.holdout`: a share of the training split that is evaluated on in the evaluation split's place, in every way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from data_sources import changed
from interrupted import assert_same, killed_after

from paribus.data import Batch, Feed, open_feed, open_originals, pipeline
from paribus.data.sharing import Client, Limits, Server, WaitPolicy
from paribus.data.sharing.recipes import Sources, stream_of
from paribus.data.stream_hash import Hasher
from paribus.errors import DataError
from paribus.recipe import Seeds, preset
from paribus.shards.catalog import check_inputs
from paribus.shards.fraction import num_held_out
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.source import File
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.training import Checkpoints, fit

SEEDS = Seeds(init=1, order=2, augment=3, dropout=4)
WHOLE = preset("synthetic").replace({"data.batch_size": 6, "data.eval_batch_size": 5})
APART = WHOLE.replace({"data.holdout": 0.25})
PHOTOS = {"data.name": "photos", "data.size": 20, "data.batch_size": 4, "data.holdout": 0.4}
VIEWS = {
    "as stored": {},
    "padded and flipped": {"augment.crop": "pad", "augment.pad": 2, "augment.flip": True},
    "cropped": {"augment.crop": "random_resized", "augment.flip": True},
}
STAGES = """
def same(sample):
    return sample


def by_split(sample):
    return sample if sample["__split__"] == "train" else {**sample, "image": 255 - sample["image"]}
"""


@pytest.fixture
def my_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stages_of_mine.py").write_text(STAGES)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "stages_of_mine", raising=False)


def keys_of(batches: list[Batch]) -> list[str]:
    return [key for batch in batches for key in batch.keys]


def epoch_of(feed: Feed, epoch: int = 1) -> list[Batch]:
    return list(feed.batches(SEEDS.order, SEEDS.augment, epoch))


def same(left: list[Batch], right: list[Batch]) -> bool:
    return len(left) == len(right) > 0 and all(
        a.keys == b.keys and torch.equal(a.labels, b.labels) and torch.equal(a.images, b.images)
        for a, b in zip(left, right, strict=True)
    )


def trained_keys(feed: Feed) -> set[str]:
    return {feed.train.index.keys[row] for row in feed.order.chosen.tolist()}


@pytest.mark.parametrize("holdout", [0.01, 0.25, 0.5])
def test_what_is_trained_on_and_what_is_evaluated_on_share_nothing_and_lack_nothing(
    data_home: Path, holdout: float
) -> None:
    feed = open_feed(WHOLE.replace({"data.holdout": holdout}), data_home)
    num = max(1, round(64 * holdout))
    assert (feed.num_train, feed.num_eval, len(set(feed.eval_keys))) == (64 - num, num, num)
    assert trained_keys(feed).isdisjoint(feed.eval_keys)
    assert trained_keys(feed) | set(feed.eval_keys) == set(open_feed(WHOLE, data_home).train.index.keys)
    assert feed.steps_per_epoch == (64 - num) // 6
    assert keys_of(list(feed.evaluation())) == feed.eval_keys
    for epoch in range(3):
        assert set(keys_of(epoch_of(feed, epoch))) <= trained_keys(feed)


def test_a_smaller_share_is_part_of_a_larger_and_a_fraction_is_of_the_rest(data_home: Path) -> None:
    quarter, half = (open_feed(WHOLE.replace({"data.holdout": share}), data_home) for share in (0.25, 0.5))
    assert set(quarter.eval_keys) < set(half.eval_keys)
    fractions = [open_feed(APART.replace({"data.train_fraction": share}), data_home) for share in (0.25, 0.5, 1.0)]
    parts = [trained_keys(feed) for feed in fractions]
    assert parts[0] < parts[1] < parts[2] == trained_keys(quarter)
    assert {tuple(feed.eval_keys) for feed in fractions} == {tuple(quarter.eval_keys)}
    # The keys decide, and no place: nothing is said of either end of the split.
    rows = np.searchsorted(np.array(sorted(quarter.train.index.keys)), sorted(quarter.eval_keys))
    assert rows[0] < 16 < 48 < rows[-1]


def test_seeds_threads_and_ranks_hold_out_the_same(data_home: Path) -> None:
    alone = open_feed(APART, data_home, threads=0)
    ranks = [open_feed(APART, data_home, rank=rank, world_size=3, threads=2) for rank in range(3)]
    shares = [list(rank.evaluation()) for rank in ranks]
    assert sorted(key for share in shares for key in keys_of(share)) == sorted(alone.eval_keys)
    assert all(rank.eval_keys == alone.eval_keys for rank in ranks)
    for order_seed in (2, 99):
        global_steps = zip(*(rank.batches(order_seed, 3, 1) for rank in ranks), strict=True)
        joined = [torch.cat([part.images for part in step]) for step in global_steps]
        whole = list(alone.batches(order_seed, 3, 1))
        assert all(torch.equal(one, other.images) for one, other in zip(joined, whole, strict=True))
        assert set(keys_of(whole)).isdisjoint(alone.eval_keys)


@pytest.mark.parametrize("view", VIEWS)
def test_every_way_of_the_feed_gives_the_same_batches_and_evaluates_as_on_a_split_of_its_own(
    view: str, photos: Path, data_home: Path, my_stages: None
) -> None:
    """Streamed, decoded, on a device, through stages, as a pipeline; evaluated as the samples are as another split."""
    for changes in ({}, PHOTOS | {"data.shards": str(photos)}):
        recipe = APART.replace({**VIEWS[view], **changes, "data.decoding": "exact"})
        kinds = [recipe.replace({"data.cache": cache}) for cache in ("never", "always")]
        streamed, decoded, there = (open_feed(kind, data_home) for kind in (*kinds, kinds[1]))
        there.device = torch.device("cpu")
        staged = open_feed(recipe.replace({"data.stages": ("stages_of_mine:same",)}), data_home)
        trained, evaluated = epoch_of(streamed), list(streamed.evaluation())
        assert same(list(pipeline(recipe, SEEDS, 1, data_home)), trained)
        for feed in (decoded, there, staged):
            assert same(epoch_of(feed), trained)
            assert same(list(feed.evaluation()), evaluated)
        kinds_of = {name: choice.kind for name, choice in there.cache_choice.items()}
        assert kinds_of == {"train": "memory" if view == "cropped" else "device", "test": "device"}
        turned = recipe.replace({"data.holdout": 0.0, "data.train_split": "test", "data.eval_split": "train"})
        turned_round = open_feed(turned.replace({"data.batch_size": 1}), data_home)
        truth = {
            key: image
            for batch in turned_round.evaluation()
            for key, image in zip(batch.keys, batch.images, strict=True)
        }
        for batch in evaluated:
            assert all(torch.equal(image, truth[key]) for key, image in zip(batch.keys, batch.images, strict=True))


def test_a_stage_is_told_that_held_out_samples_stand_for_the_evaluation_split(data_home: Path, my_stages: None) -> None:
    plain, own = (
        open_feed(APART.replace({"data.stages": stages}), data_home) for stages in ((), ("stages_of_mine:by_split",))
    )
    assert all(torch.equal(255 - a.pixels, b.pixels) for a, b in zip(plain.evaluation(), own.evaluation(), strict=True))
    assert same(epoch_of(plain), epoch_of(own))


@pytest.fixture
def reader() -> Iterator[Server]:
    waits = WaitPolicy(base_s=60.0, gather_s=0.2)
    with closing(Server(Sources(), wait_policy=waits, limits=Limits(ahead=4))) as reader:
        yield reader


def test_a_shared_reader_serves_those_who_hold_out_the_same_and_nobody_else(data_home: Path, reader: Server) -> None:
    recipe = APART.replace({"augment.crop": "pad", "augment.pad": 2})
    feed, whole = (open_feed(each, data_home, threads=0) for each in (recipe, recipe.replace({"data.holdout": 0.0})))
    stream = stream_of(recipe, feed, data_home)
    assert stream.identity != stream_of(recipe.replace({"data.holdout": 0.0}), whole, data_home).identity
    alone = epoch_of(feed)
    feed.shared = Client(stream, lambda: reader.address)
    assert same(epoch_of(feed), alone)
    assert feed.shared.num_shared == len(alone)
    feed.shared.close()


def test_a_trial_of_it_resumes_to_the_bit_and_tells_of_what_was_held_out(
    data_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = APART.replace({"budget.amount": 2.0, "budget.unit": "epochs", "model.width": 0.25})
    feed = open_feed(recipe, data_home)
    whole = fit(recipe, SEEDS, feed)
    killed_after(monkeypatch, 11, recipe, SEEDS, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))
    resumed = fit(recipe, SEEDS, open_feed(recipe, data_home), checkpoint=Checkpoints(tmp_path, every_steps=1))
    assert_same(whole, resumed)
    assert whole.weights == resumed.weights
    assert whole.examples is not None
    assert list(whole.examples.keys) == feed.eval_keys
    (*_, last) = Hasher(recipe, data_home).keys(SEEDS.order, 2)
    assert last.keys == whole.stream_hashes[-1]


def test_an_evaluation_anew_looks_at_the_same_examples(data_home: Path) -> None:
    feed, originals = open_feed(APART, data_home), open_originals(APART, data_home)
    assert list(originals.keys) == feed.eval_keys
    labels = torch.cat([batch.labels for batch in feed.evaluation()])
    assert originals.labels.tolist() == labels.tolist()
    assert APART.data.evaluated_on == "held-out 25 % of the train"


def test_a_split_of_one_sample_has_none_to_spare() -> None:
    assert (num_held_out(2, 0.01), num_held_out(3, 0.5)) == (1, 2)
    with pytest.raises(DataError, match=r"has 1 sample, and one to train on and one to evaluate on are needed; set"):
        num_held_out(1, 0.5)


def test_samples_that_are_known_not_to_decode_are_trained_on_and_not_evaluated_on(tmp_path: Path) -> None:
    held = set(open_feed(APART, tmp_path).eval_keys)

    def change(split: str, row: int, file: File) -> File:
        broken = split == "train" and f"train-{row:04d}" in held and row % 2 == 0
        return replace(file, data=b"no image", pixels=None) if broken else file

    make_shards(changed(synthetic(), change), tmp_path / "set", shard_size=5, keep_undecodable=True)
    recipe = APART.replace({"data.shards": str(tmp_path / "set"), "data.max_undecodable": 0.5})
    check_inputs([recipe], tmp_path)
    feed = open_feed(recipe, tmp_path)
    assert feed.num_eval == 16
    assert keys_of(list(feed.evaluation())) == feed.eval_keys
    epoch_of(feed, 0)
    assert set(feed.undecodable_keys) <= held - set(feed.eval_keys)
    assert feed.undecodable_keys
