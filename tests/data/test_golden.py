"""The streams of today, pinned: another order or augmentation would silently change every result in every ledger."""

from hashlib import sha256
from pathlib import Path

import pytest
import torch

from paribus.data import Feed, data_digest, hash_keys, open_feed
from paribus.recipe import preset


def stream_hash(feed: Feed, epoch: int) -> str:
    running = ""
    for batch in feed.batches(1, 2, epoch):
        running = hash_keys(running, batch.keys)
    return running[:16]


def pixel_hash(feed: Feed) -> str:
    digest = sha256()
    for batch in feed.batches(1, 2, epoch=0):
        digest.update(batch.images.numpy().tobytes())
    return digest.hexdigest()[:16]


def test_the_digests_of_the_built_in_sets_are_pinned(data_home: Path) -> None:
    """They are part of every trial's identity, on every machine."""
    digests = {name: data_digest(preset(name), data_home)[:16] for name in ("digits", "synthetic")}
    assert digests == {"digits": "0de2ac4eee6e274a", "synthetic": "a218640d940f2ff8"}


def test_the_order_of_digits_is_pinned(data_home: Path) -> None:
    feed = open_feed(preset("digits"), data_home)
    assert [stream_hash(feed, epoch) for epoch in (0, 1)] == ["3d5aae37cb407f95", "f42080af3b5a1dc3"]
    fifth = open_feed(preset("digits").replace({"data.train_fraction": 0.2}), data_home)
    assert (fifth.num_train, stream_hash(fifth, 0)) == (278, "c5ffa8cd3ce46eec")


def test_which_digits_are_held_out_is_pinned(data_home: Path) -> None:
    feed = open_feed(preset("digits").replace({"data.holdout": 0.2}), data_home)
    assert (feed.num_train, stream_hash(feed, 0)) == (1120, "6debe0cf71b56e5d")
    assert (feed.num_eval, hash_keys("", feed.eval_keys)[:16]) == (280, "662ab865d6010d33")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "42a610970d2992e8"),
        ({"augment.crop": "pad", "augment.pad": 2, "augment.flip": True}, "b62f765f7052f85e"),
        ({"augment.cutout": 3, "augment.normalise": False}, "49594491f5d61705"),
    ],
)
def test_the_pixels_of_synthetic_images_are_pinned(data_home: Path, changes: dict[str, object], expected: str) -> None:
    assert pixel_hash(open_feed(preset("synthetic").replace(changes), data_home)) == expected


@pytest.mark.parametrize("changes", [{"data.size": 16}, {"data.size": 6, "augment.crop": "random_resized"}])
def test_memory_and_stream_agree_at_other_sizes(data_home: Path, changes: dict[str, object]) -> None:
    feeds = [
        open_feed(preset("synthetic").replace({**changes, "data.cache": resident}), data_home)
        for resident in ("always", "never")
    ]
    for left, right in zip(feeds[0].batches(1, 2, 0), feeds[1].batches(1, 2, 0), strict=True):
        assert left.images.shape[2:] == (changes["data.size"],) * 2
        assert torch.equal(left.images, right.images)
    for left, right in zip(feeds[0].evaluation(), feeds[1].evaluation(), strict=True):
        assert torch.equal(left.images, right.images)
