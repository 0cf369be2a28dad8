"""Images per second of decoded pixels that stay: from the mapped cache beside ImageFolder and PIL, and on a GPU.

python -m pytest tests/benchmarks/data/bench_resident.py -s
python -m pytest tests/benchmarks/data/bench_resident.py -s -m gpu

CPU time of the process on one core, in turns, the best of five rounds; on the GPU by the clock.
"""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from interleaved import Row, rates, table
from loaders import BATCH, SIZE, Output, Way, image_folder
from photographs import lay_out

from paribus.data import Feed, open_feed
from paribus.data.cache import choice as cache_choice
from paribus.recipe import preset
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder as folder_source
from paribus.shards.sources.source import array_source

NUM, SMALL_SIDE = 192, 64
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def photographs(home: Path, short_side: int | None, resident: str) -> tuple[Path, Feed]:
    """The folder of photographs, and the feed of random resized crops from their shards."""
    folder = lay_out(home / "images" / str(short_side), NUM, short_side)
    make_shards(folder_source(folder), home / "data" / f"photos-{short_side}", shard_size=64)
    changes = {"data.name": f"photos-{short_side}", "data.eval_split": "test", "data.size": SIZE}
    recipe = preset("imagenet").replace({**changes, "data.batch_size": BATCH, "data.cache": resident})
    return folder / "train", open_feed(recipe, home, threads=0)


def ours(feed: Feed, output: Output) -> Way:
    """An epoch, another one each time."""
    epochs = count()

    def run() -> int:
        batches = feed.batches(1, 2, epoch=next(epochs))
        return sum(len(batch.pixels if output == "uint8" else batch.images) for batch in batches)

    return run


def test_a_mapped_cache_outruns_image_folder_on_the_originals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_choice, "MEMORY_SHARE", 0)
    originals, whole = photographs(tmp_path, None, "always")
    start = time.process_time()
    _, small = photographs(tmp_path, 256, "always")
    spent = time.process_time() - start
    assert {feed.cache_choice["train"].kind for feed in (whole, small)} == {"mapped"}
    ways: dict[str, Way] = {}
    for output in ("uint8", "float"):
        ways |= {
            f"mapped, short side 256, {output}": ours(small, output),
            f"mapped, 500x375, {output}": ours(whole, output),
        }
        ways[f"ImageFolder, {output}"] = image_folder(originals, output)
    best = rates(ways, rounds=5)
    print(f"\nphotographs laid out, sharded and decoded in {spent:.1f} CPU-seconds")
    for name, rate in best.items():
        print(f"{name:30} {rate:8,.0f} images/s")
    ratio = best["mapped, short side 256, uint8"] / best["ImageFolder, uint8"]
    assert table([Row("short side 256 mapped, uint8, against ImageFolder on 500x375", ratio, 25)])


def small_images(home: Path, num: int, gpus: float) -> Feed:
    """Noise of 64x64 pixels under pad-crop and flip."""
    images = np.random.Generator(np.random.Philox(key=1)).integers(
        0, 256, (num, SMALL_SIDE, SMALL_SIDE, 3), dtype=np.uint8
    )
    keys = tuple(f"image-{row}" for row in range(num))
    splits = {split: (images, np.arange(num) % 10, keys) for split in ("train", "test")}
    make_shards(array_source("noise", tuple("0123456789"), splits, {}), home / "data" / "noise")
    changes = {"data.name": "noise", "data.batch_size": 512, "resources.gpus": gpus}
    return open_feed(preset("cifar10").replace(changes), home, threads=0)


def test_resident_images_of_64_pixels(tmp_path: Path) -> None:
    feed = small_images(tmp_path, 8192, 0)
    there = small_images(tmp_path, 8192, 0)
    there.device = torch.device("cpu")
    ways = {"host": ours(feed, "uint8"), "device's code on the host": ours(there, "uint8")}
    best = rates(ways, rounds=5)
    for name, rate in best.items():
        print(f"{name:30} {rate:8,.0f} images/s")
    assert table([Row("64x64 resident, pad-crop, flip, thousand images/s", best["host"] / 1000, 40, "k")])


@pytest.mark.gpu
def test_images_of_64_pixels_on_a_gpu(tmp_path: Path) -> None:
    feed = small_images(tmp_path, 65_536, 1)
    device = torch.device("cuda")
    best = 0.0
    for epoch in range(8):
        torch.cuda.synchronize()
        start = time.perf_counter()
        num = sum(len(batch.on(device, torch.channels_last)) for batch in feed.batches(1, 2, epoch))
        torch.cuda.synchronize()
        best = max(best, num / (time.perf_counter() - start))
    assert feed.cache_choice["train"].kind == "device"
    assert table([Row("64x64 on the GPU, pad-crop, flip, float, thousand images/s", best / 1000, 200, "k")])
