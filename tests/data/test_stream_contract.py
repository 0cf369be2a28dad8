"""The batch at (order seed, augment seed, epoch, step) is one thing, however it is read."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from paribus.data import Batch, Feed, hash_keys, open_feed
from paribus.data.cache import choice as cache_choice
from paribus.recipe import Recipe, preset

STRIPES = preset("synthetic").replace(
    {"data.batch_size": 12, "data.eval_batch_size": 10, "augment.crop": "pad", "augment.pad": 2, "augment.flip": True,
     "augment.cutout": 3}
)  # fmt: skip
PHOTOS = STRIPES.replace(
    {"data.name": "photos", "data.size": 32, "data.batch_size": 4, "augment.crop": "random_resized"}
)
EXACT = PHOTOS.replace({"data.decoding": "exact"})
FITTED = PHOTOS.replace({"augment.crop": "pad", "augment.pad": 4})


@pytest.fixture(params=["memory", "mapped", "device", "stream"])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where decoded pixels stay: in memory, in a mapped file, on a device, or nowhere."""
    if request.param == "mapped":
        monkeypatch.setattr(cache_choice, "MEMORY_SHARE", 0)
    return str(request.param)


def feed_of(recipe: Recipe, folder: Path, home: Path, tier: str = "memory", **ways: int) -> Feed:
    """The feed with its pixels in `tier`; the code that a GPU runs, runs on the CPU."""
    resident = "never" if tier == "stream" else "always"
    feed = open_feed(recipe.replace({"data.shards": str(folder), "data.cache": resident}), home, **ways)
    feed.device = torch.device("cpu") if tier == "device" else None
    return feed


Step = tuple[torch.Tensor, torch.Tensor, list[str]]


def steps(batches: list[Batch]) -> list[Step]:
    return [(batch.images, batch.labels, batch.keys) for batch in batches]


def same(left: list[Step], right: list[Step]) -> bool:
    return len(left) == len(right) and all(
        a[2] == b[2] and torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in zip(left, right, strict=True)
    )


def joined(shares: list[list[Batch]]) -> list[Step]:
    """The global batches from the ranks' shares."""
    return [
        (
            torch.cat([share.images for share in step]),
            torch.cat([share.labels for share in step]),
            [key for share in step for key in share.keys],
        )
        for step in zip(*shares, strict=True)
    ]


@pytest.fixture(scope="module")
def truth(stripes: Path, data_home: Path) -> list[Batch]:
    return list(feed_of(STRIPES, stripes, data_home, threads=0).batches(11, 12, epoch=3))


@pytest.mark.parametrize("threads", [0, 1, 2, 4])
@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_no_way_of_reading_changes_a_batch(
    truth: list[Batch], stripes: Path, data_home: Path, tier: str, threads: int, world_size: int
) -> None:
    feeds = [
        feed_of(STRIPES, stripes, data_home, tier, rank=rank, world_size=world_size, threads=threads)
        for rank in range(world_size)
    ]
    assert len(truth) == 64 // 12
    for start in range(len(truth) + 1):
        shares = [list(feed.batches(11, 12, epoch=3, start_step=start)) for feed in feeds]
        assert same(joined(shares), steps(truth[start:]))


@pytest.mark.parametrize("recipe", [PHOTOS, EXACT, FITTED], ids=["random_resized", "exact", "fitted"])
@pytest.mark.parametrize(("threads", "world_size"), [(0, 1), (1, 1), (4, 1), (2, 2), (0, 4)])
def test_photographs_of_many_sizes_keep_the_contract_too(
    photos: Path, data_home: Path, recipe: Recipe, tier: str, threads: int, world_size: int
) -> None:
    expected = list(feed_of(recipe, photos, data_home, "stream", threads=0).batches(1, 2, epoch=0))
    assert expected[0].images.shape == (4, 3, 32, 32)
    shares = [
        list(
            feed_of(recipe, photos, data_home, tier, rank=rank, world_size=world_size, threads=threads).batches(
                1, 2, epoch=0, start_step=2
            )
        )
        for rank in range(world_size)
    ]
    assert same(joined(shares), steps(expected[2:]))


@pytest.mark.parametrize("world_size", [1, 2, 4])
@pytest.mark.parametrize("batch_size", [1, 10, 500])
def test_evaluation_sees_every_key_once_on_some_rank(
    stripes: Path, data_home: Path, tier: str, world_size: int, batch_size: int
) -> None:
    recipe = STRIPES.replace({"data.eval_batch_size": batch_size})
    seen: dict[str, torch.Tensor] = {}
    for rank in range(world_size):
        feed = feed_of(recipe, stripes, data_home, tier, rank=rank, world_size=world_size)
        for batch in feed.evaluation():
            assert not seen.keys() & set(batch.keys)
            seen |= dict(zip(batch.keys, batch.images, strict=True))
    assert sorted(seen) == sorted(feed.eval_keys)
    assert len(seen) == feed.num_eval == 32
    whole = feed_of(STRIPES, stripes, data_home)
    assert [key for batch in whole.evaluation() for key in batch.keys] == whole.eval_keys
    images = torch.cat([batch.images for batch in whole.evaluation()])
    assert torch.equal(images, torch.stack([seen[key] for key in whole.eval_keys]))


def test_two_feeds_read_alternately_do_not_disturb_each_other(
    truth: list[Batch], stripes: Path, data_home: Path, tier: str
) -> None:
    feed = feed_of(STRIPES, stripes, data_home, tier, threads=2)
    first, second = feed.batches(11, 12, epoch=3), feed.batches(99, 98, epoch=3)
    mixed = []
    for batch, _ in zip(first, second, strict=True):
        mixed.append(batch)
    assert same(steps(mixed), steps(truth))


def test_another_seed_or_epoch_is_another_stream(stripes: Path, data_home: Path) -> None:
    feed = feed_of(STRIPES, stripes, data_home)
    base = list(feed.batches(1, 2, epoch=0))
    other_order = list(feed.batches(3, 2, epoch=0))
    other_augment = list(feed.batches(1, 3, epoch=0))
    assert [batch.keys for batch in base] != [batch.keys for batch in other_order]
    assert [batch.keys for batch in base] == [batch.keys for batch in other_augment]
    assert not torch.equal(base[0].images, other_augment[0].images)
    assert [batch.keys for batch in base] != [batch.keys for batch in feed.batches(1, 2, epoch=1)]


def test_a_sample_looks_the_same_in_any_company(stripes: Path, data_home: Path) -> None:
    """Augmentation comes from (augment seed, epoch, key) alone, so the order seed and the batch size cannot matter."""
    looks: list[dict[str, torch.Tensor]] = []
    for order_seed, batch_size in ((1, 8), (2, 16), (3, 64)):
        feed = feed_of(STRIPES.replace({"data.batch_size": batch_size}), stripes, data_home)
        batches = feed.batches(order_seed, 5, epoch=4)
        looks.append({key: image for batch in batches for key, image in zip(batch.keys, batch.images, strict=True)})
    assert looks[0].keys() == looks[1].keys() == looks[2].keys()
    assert all(torch.equal(looks[0][key], look[key]) for look in looks[1:] for key in look)


def test_a_feed_stopped_midway_leaves_no_thread(stripes: Path, data_home: Path) -> None:
    import threading

    batches = feed_of(STRIPES, stripes, data_home, "stream", threads=4).batches(1, 2, epoch=0)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("paribus-")]


def test_global_generators_are_left_untouched(stripes: Path, photos: Path, data_home: Path) -> None:
    def states() -> tuple[object, ...]:
        return random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()

    before = states()
    for recipe, folder in ((STRIPES, stripes), (PHOTOS, photos)):
        feed = feed_of(recipe, folder, data_home, "stream", threads=2)
        expected = list(feed.batches(1, 2, epoch=0))
        list(feed.evaluation())
    assert states() == before
    np.random.seed(123)
    torch.manual_seed(123)
    random.seed(123)
    assert same(steps(list(feed.batches(1, 2, epoch=0))), steps(expected))


def test_the_running_hash_tells_streams_apart() -> None:
    assert hash_keys("", ["a", "b"]) != hash_keys("", ["b", "a"])
    assert hash_keys("", ["ab"]) != hash_keys("", ["a", "b"])
    assert hash_keys(hash_keys("", ["a"]), ["b"]) != hash_keys(hash_keys("", ["b"]), ["a"])
    assert len(hash_keys("", [])) == 64


def test_images_are_what_the_network_takes(stripes: Path, data_home: Path) -> None:
    feed = feed_of(STRIPES.replace({"augment.crop": "none", "augment.cutout": 0}), stripes, data_home)
    batch = next(iter(feed.batches(1, 2, epoch=0)))
    assert batch.images.dtype == torch.float32
    assert batch.labels.dtype == torch.int64
    assert batch.images.is_contiguous()
    assert (feed.channels, feed.size, feed.num_classes, feed.num_train, feed.steps_per_epoch) == (3, 8, 4, 64, 5)
    plain = STRIPES.replace({"augment.crop": "none", "augment.cutout": 0, "data.batch_size": 64})
    # One batch is the whole training split, and the manifest promises its mean and sd.
    images = next(iter(feed_of(plain, stripes, data_home).batches(1, 2, epoch=0))).images
    torch.testing.assert_close(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(images.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)
