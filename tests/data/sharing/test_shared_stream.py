"""Training batches of a recipe through the node's reader: the same, bit for bit, and decoded once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from data_sources import changed

from paribus.data import Batch, DataError, Feed, open_feed
from paribus.data.sharing import Client, Limits, Server, WaitPolicy
from paribus.data.sharing.recipes import Sources, stream_of
from paribus.recipe import Recipe, preset
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.source import File
from paribus.shards.sources.synthetic.builtin import synthetic

PHOTOS = preset("synthetic").replace(
    {
        "data.name": "photos",
        "data.size": 32,
        "data.batch_size": 4,
        "data.cache": "never",
        "augment.crop": "random_resized",
        "augment.flip": True,
        "augment.cutout": 6,
    }
)


@pytest.fixture
def reader() -> Iterator[Server]:
    with closing(
        Server(Sources(), wait_policy=WaitPolicy(base_s=60.0, gather_s=0.2), limits=Limits(ahead=4))
    ) as reader:
        yield reader


def shared_feed(recipe: Recipe, home: Path, reader: Server) -> Feed:
    feed = open_feed(recipe, home, threads=0)
    feed.shared = Client(stream_of(recipe, feed, home), lambda: reader.address)
    return feed


def epochs(feed: Feed, num: int = 2, start_step: int = 0) -> list[Batch]:
    """The batches of `num` epochs; `images` are made at once, as training does."""
    batches = []
    for epoch in range(num):
        for batch in feed.batches(11, 12, epoch, start_step if epoch == 0 else 0):
            assert batch.images.dtype == torch.float32
            batches.append(batch)
    return batches


def same(left: list[Batch], right: list[Batch]) -> bool:
    return len(left) == len(right) and all(
        a.keys == b.keys and torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels)
        for a, b in zip(left, right, strict=True)
    )


def test_arms_share_one_decoding_and_see_what_they_would_alone(photos: Path, data_home: Path, reader: Server) -> None:
    """Four trials: two alike, one that cuts nothing out, and one that does not normalise; the device does both."""
    recipe = PHOTOS.replace({"data.shards": str(photos)})
    arms = [recipe, recipe, recipe.replace({"augment.cutout": 0}), recipe.replace({"augment.normalise": False})]
    feeds = [shared_feed(arm, data_home, reader) for arm in arms]
    with ThreadPoolExecutor(len(feeds)) as pool:
        found = list(pool.map(epochs, feeds))
    for arm, batches, feed in zip(arms, found, feeds, strict=True):
        assert feed.shared is not None
        assert (feed.shared.num_shared, feed.shared.partings) == (12, [])
        assert same(batches, epochs(open_feed(arm, data_home, threads=0)))
        feed.shared.close()
    assert reader.counts["samples"] == 2 * 24


def test_one_that_resumes_alone_gives_the_same(photos: Path, data_home: Path, reader: Server) -> None:
    recipe = PHOTOS.replace({"data.shards": str(photos)})
    first, late = (shared_feed(recipe, data_home, reader) for _ in range(2))
    assert first.shared is not None
    assert late.shared is not None
    leading = first.batches(11, 12, 0)
    next(leading)
    # One epoch: `first` stands still in this thread, and would be waited for as long as the wait policy here is.
    alone = open_feed(recipe, data_home, threads=0)
    assert same(epochs(late, num=1, start_step=5), epochs(alone, num=1, start_step=5))
    leading.close()
    for feed in (first, late):
        feed.shared.close()


def test_streams_are_told_apart_by_what_their_pixels_follow_from(photos: Path, data_home: Path) -> None:
    def identity(**changes: object) -> str:
        recipe = PHOTOS.replace(
            {"data.shards": str(photos), **{key.replace("__", "."): changes[key] for key in changes}}
        )
        return stream_of(recipe, open_feed(recipe, data_home), data_home).identity

    base = identity()
    alike: list[dict[str, object]] = [
        {"augment__cutout": 0},
        {"augment__normalise": False},
        {"data__eval_batch_size": 7},
        {"data__max_undecodable": 0.5},
        {"model__depth": 40},
    ]
    other: list[dict[str, object]] = [
        {"data__size": 16},
        {"data__batch_size": 5},
        {"data__train_fraction": 0.5},
        {"data__shuffle_shards": 2},
        {"data__decoding": "exact"},
        {"augment__flip": False},
        {"augment__min_area": 0.3},
        {"augment__crop": "pad"},
    ]
    assert {identity(**changes) for changes in alike} == {base}
    assert len({base, *(identity(**changes) for changes in other)}) == 1 + len(other)


def broken(split: str, row: int, file: File) -> File:
    return replace(file, data=b"no image", pixels=None) if split == "train" and row in (3, 40) else file


@pytest.mark.parametrize("allowed", [2, 1])
def test_undecodable_samples_count_as_they_do_alone(tmp_path: Path, reader: Server, allowed: int) -> None:
    folder = tmp_path / "set"
    make_shards(changed(synthetic(), broken), folder, shard_size=5, keep_undecodable=True)
    recipe = preset("synthetic").replace(
        {
            "data.shards": str(folder),
            "data.cache": "never",
            "data.batch_size": 16,
            "data.max_undecodable": allowed / 64,
        }
    )
    shared, alone = shared_feed(recipe, tmp_path, reader), open_feed(recipe, tmp_path, threads=0)
    assert shared.shared is not None
    if allowed == 2:
        assert same(epochs(shared, 1), epochs(alone, 1))
        assert shared.undecodable_keys == alone.undecodable_keys == ["train-0003", "train-0040"]
        assert shared.shared.num_shared == 4
    else:
        with pytest.raises(DataError) as met:
            epochs(alone, 1)
        with pytest.raises(DataError) as met_shared:
            epochs(shared, 1)
        assert str(met_shared.value) == str(met.value)
    shared.shared.close()


def test_a_damaged_shard_is_the_same_error_at_the_same_step(tmp_path: Path, reader: Server) -> None:
    folder = tmp_path / "set"
    make_shards(synthetic(), folder, shard_size=5)
    recipe = preset("synthetic").replace(
        {"data.shards": str(folder), "data.cache": "never", "data.batch_size": 8, "data.shuffle_shards": 2}
    )
    shared, alone = shared_feed(recipe, tmp_path, reader), open_feed(recipe, tmp_path, threads=0)
    assert shared.shared is not None
    damaged = sorted(folder.glob("train-*.tar"))[6]
    content = bytearray(damaged.read_bytes())
    for at in range(600, len(content) - 1024, 100):
        content[at] ^= 255
    damaged.write_bytes(bytes(content))
    taken: dict[Feed, list[Batch]] = {alone: [], shared: []}
    for feed, batches in taken.items():
        with pytest.raises(DataError, match=damaged.name):
            batches.extend(feed.batches(11, 12, 0))
    assert taken[alone]
    assert same(taken[alone], taken[shared])
    assert shared.shared.num_shared > 0
    assert "the reader failed (DataError: " in shared.shared.partings[0].reason
    shared.shared.close()


def test_a_set_that_is_made_anew_is_not_read_from_the_old_one(tmp_path: Path, reader: Server) -> None:
    """The reader keeps its last streams open, and with them the shards that were removed."""
    folder = tmp_path / "set"
    recipe = PHOTOS.replace({"data.name": "synthetic", "data.size": 8, "data.shards": str(folder)})
    make_shards(synthetic(), folder, shard_size=5)
    old = shared_feed(recipe, tmp_path, reader)
    before = epochs(old)
    assert old.shared is not None
    old.shared.close()
    shutil.rmtree(folder)
    load = synthetic().splits["train"].load
    make_shards(changed(synthetic(), lambda split, row, file: load(63 - row)), folder, shard_size=5)
    new = shared_feed(recipe, tmp_path, reader)
    assert new.shared is not None
    after = epochs(new)
    assert not same(before, after)
    assert same(after, epochs(open_feed(recipe, tmp_path, threads=0)))
    assert (new.shared.num_shared, new.shared.partings) == (32, [])
    new.shared.close()
