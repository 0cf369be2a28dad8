"""Batches made where the net is: the same bits, one copy for all feeds of a process, only where there is room."""

import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from data_sources import changed

from paribus.data import Feed, open_feed
from paribus.data.augment import Draw, varied
from paribus.data.cache import on_device
from paribus.data.cache.on_device import DeviceSplit
from paribus.recipe import Recipe, preset
from paribus.recipe.data import Augment
from paribus.shards.counters import sample_ids
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.source import File
from paribus.shards.sources.synthetic.builtin import synthetic

CPU = torch.device("cpu")
RECIPE = preset("synthetic").replace({"augment.crop": "pad", "augment.pad": 2, "augment.flip": True})


def opened(recipe: Recipe, home: Path, device: torch.device | None = CPU) -> Feed:
    feed = open_feed(recipe, home)
    feed.device = device
    return feed


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("pad", [0, 1, 4, 6])
@pytest.mark.parametrize("flip", [True, False])
def test_crops_and_flips_are_those_of_the_host(channels: int, pad: int, flip: bool) -> None:
    generator = np.random.Generator(np.random.Philox(key=5))
    images = generator.integers(0, 256, (200, 7, 9, channels), dtype=np.uint8)
    rows = generator.permutation(200)[:150].astype(np.int32)
    augment = Augment(crop="pad", pad=pad, flip=flip) if pad else Augment(flip=flip)
    draw = Draw(sample_ids([f"image-{row}" for row in rows]), 3, 4)
    there = DeviceSplit(torch.from_numpy(images), np.ones(200, bool))
    expected = varied(images[rows], augment, draw)
    np.testing.assert_array_equal(there.varied(rows, augment, draw).numpy(), expected)
    np.testing.assert_array_equal(there.views(rows).numpy(), images[rows])


def test_undecodable_samples_are_left_out_there_too(tmp_path: Path) -> None:
    def change(split: str, row: int, file: File) -> File:
        return File(suffix="png", data=b"no image") if split == "train" and row in (3, 40) else file

    make_shards(changed(synthetic(), change), tmp_path / "set", shard_size=5, keep_undecodable=True)
    recipe = RECIPE.replace({"data.shards": str(tmp_path / "set"), "data.max_undecodable": 0.1})
    feeds = [opened(recipe, tmp_path, device) for device in (CPU, None)]
    for one, other in zip(*(feed.batches(1, 2, epoch=0) for feed in feeds), strict=True):
        assert (one.keys, one.undecodable) == (other.keys, other.undecodable)
        assert torch.equal(one.images, other.images)
    assert feeds[0].undecodable_keys == ["train-0003", "train-0040"]


def test_all_feeds_of_a_process_share_one_copy_and_the_last_lets_it_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads: list[int] = []
    upload = on_device._uploaded

    def counted(images: np.ndarray, device: torch.device) -> torch.Tensor:
        uploads.append(len(images))
        return upload(images, device)

    monkeypatch.setattr(on_device, "_uploaded", counted)
    feeds = [opened(RECIPE, tmp_path), opened(RECIPE.replace({"augment.flip": False}), tmp_path)]
    assert feeds[0].cache_choice["train"].kind == "memory"
    for _ in range(2):
        for feed in feeds:
            list(feed.batches(1, 2, epoch=0))
            list(feed.evaluation())
    assert uploads == [64, 32]
    assert feeds[0].cache_choice["train"].kind == feeds[1].cache_choice["test"].kind == "device"
    assert len(on_device._held) == 2
    del feed
    feeds.clear()
    gc.collect()
    assert len(on_device._held) == 0


def test_what_does_not_stay_decoded_in_one_size_is_not_uploaded(photos: Path, tmp_path: Path) -> None:
    cropped = RECIPE.replace({"data.shards": str(photos), "data.size": 32, "data.batch_size": 4})
    feed = opened(cropped.replace({"augment.crop": "random_resized"}), tmp_path)
    list(feed.batches(1, 2, epoch=0))
    list(feed.evaluation())
    assert {split: where.kind for split, where in feed.cache_choice.items()} == {"train": "memory", "test": "device"}
    streamed = opened(cropped.replace({"data.cache": "never"}), tmp_path)
    list(streamed.batches(1, 2, epoch=0))
    assert streamed.cache_choice["train"].kind == "stream"


@pytest.mark.parametrize("size", [None, 4, 12])
def test_random_resized_crops_are_cut_though_all_images_have_one_size(tmp_path: Path, size: int | None) -> None:
    recipe = RECIPE.replace({"augment.crop": "random_resized", "data.size": size})
    there, here = opened(recipe, tmp_path), opened(recipe.replace({"data.cache": "never"}), tmp_path, None)
    for one, other in zip(there.batches(1, 2, epoch=0), here.batches(1, 2, epoch=0), strict=True):
        assert torch.equal(one.images, other.images)
    for one, other in zip(there.evaluation(), here.evaluation(), strict=True):
        assert torch.equal(one.images, other.images)
    assert there.cache_choice["train"].kind == "memory"


def test_only_a_recipe_on_a_gpu_has_a_device_and_only_where_there_is_one(tmp_path: Path) -> None:
    assert open_feed(RECIPE, tmp_path).device is None
    there = torch.device("cuda") if torch.cuda.is_available() else None
    assert open_feed(RECIPE.replace({"resources.gpus": 0.5}), tmp_path).device == there


@pytest.mark.gpu
def test_a_gpu_makes_the_batches_of_the_host(tmp_path: Path) -> None:
    recipe = RECIPE.replace({"resources.gpus": 1, "augment.cutout": 3})
    there, here = open_feed(recipe, tmp_path), opened(recipe, tmp_path, None)
    for seeds in ((1, 2, 0), (3, 4, 1)):
        for one, other in zip(there.batches(*seeds), here.batches(*seeds), strict=True):
            assert one.pixels.device.type == "cuda"
            assert torch.equal(one.pixels.cpu(), other.pixels)
            # Finished on the device either way.
            cuda = torch.device("cuda")
            assert torch.equal(one.on(cuda), other.on(cuda))
            assert one.keys == other.keys
    for one, other in zip(there.evaluation(), here.evaluation(), strict=True):
        assert torch.equal(one.pixels.cpu(), other.pixels)
    assert {where.kind for where in there.cache_choice.values()} == {"device"}


@pytest.mark.gpu
def test_a_gpu_without_room_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_device, "SHARE", 0.0)
    feed = open_feed(RECIPE.replace({"resources.gpus": 1}), tmp_path)
    assert next(iter(feed.batches(1, 2, epoch=0))).pixels.device.type == "cpu"
    assert feed.cache_choice["train"].kind == "memory"
