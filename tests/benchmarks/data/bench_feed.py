"""Images per second of the whole feed beside the stock loaders, on one core: same photographs, resampler and output.

python -m pytest tests/benchmarks/data/bench_feed.py -s

CPU time of the process, in turns, the best of seven rounds; two threads against one is by the clock, and needs a
machine that does nothing else.
"""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import simplejpeg  # type: ignore[import-untyped]
import torch
from interleaved import Row, rates, table
from loaders import BATCH, SIZE, Output, Way, image_folder, lit_data, web_dataset, write_litdata
from photographs import lay_out
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from paribus.data import Feed, open_feed
from paribus.recipe import preset
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder as folder_source
from paribus.shards.sources.source import array_source

NUM = 192
pytestmark = [
    # The stock pipelines leave files and threads open until they are collected.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(home: Path, short_side: int | None = None) -> Path:
    """Photographs in class folders, and as shards of the set `photos` under `home`."""
    folder = lay_out(home / "images" / str(short_side), NUM, short_side)
    make_shards(folder_source(folder), home / "data" / f"photos-{short_side}", shard_size=64)
    return folder / "train"


def opened(home: Path, short_side: int | None = None, threads: int = 0, **settings: str) -> Feed:
    changes = {f"data.{name}": value for name, value in settings.items()}
    recipe = preset("imagenet").replace(
        {
            "data.name": f"photos-{short_side}",
            "data.eval_split": "test",
            "data.size": SIZE,
            "data.batch_size": BATCH,
            "data.cache": "never",
            **changes,
        }
    )
    return open_feed(recipe, home, threads=threads)


def ours(feed: Feed, output: Output) -> Way:
    """An epoch, another one each time."""
    epochs = count()

    def run() -> int:
        batches = feed.batches(1, 2, epoch=next(epochs))
        return sum(len(batch.pixels if output == "uint8" else batch.images) for batch in batches)

    return run


def decoder(folder: Path) -> Way:
    """libjpeg-turbo alone, the bytes in memory, the pixels thrown away."""
    files = [path.read_bytes() for path in folder.rglob("*.jpg")]
    return lambda: sum(len(simplejpeg.decode_jpeg(data)) > 0 for data in files)


def test_photographs_outrun_the_stock_loaders_on_one_core(tmp_path: Path) -> None:
    folder, small = made(tmp_path), made(tmp_path, 256)
    files = [(path.read_bytes(), int(path.parent.name)) for path in sorted(folder.rglob("*.jpg"))]
    write_litdata(files, tmp_path / "litdata")
    shards = sorted((tmp_path / "data" / "photos-None").glob("train-*.tar"))
    feeds = {"500x375": opened(tmp_path), "short side 256": opened(tmp_path, 256)}
    exact = opened(tmp_path, decoding="exact")
    ways: dict[str, Way] = {"decoder": decoder(folder), "decoder, short side 256": decoder(small)}
    for output in ("uint8", "float"):
        ways |= {f"ours, {name}, {output}": ours(feed, output) for name, feed in feeds.items()}
        ways[f"ours, exact, {output}"] = ours(exact, output)
        ways[f"ImageFolder, {output}"] = image_folder(folder, output)
        ways[f"WebDataset, {output}"] = web_dataset(shards, output)
        ways[f"LitData, {output}"] = lit_data(tmp_path / "litdata", output)
    best = rates(ways, rounds=5)
    print(f"\n{np.mean([len(data) for data, _ in files]) / 1000:.0f} KB an image")
    for name, rate in best.items():
        print(f"{name:30} {rate:7,.0f} images/s")
    rows = []
    for output in ("float", "uint8"):
        mine = best[f"ours, 500x375, {output}"]
        for peer, goal in (("ImageFolder", 2.0), ("WebDataset", 1.8), ("LitData", 1.3)):
            rows.append(Row(f"500x375, {output}, against {peer}", mine / best[f"{peer}, {output}"], goal))
        small_rate = best[f"ours, short side 256, {output}"] / best[f"ImageFolder, {output}"]
        rows.append(Row(f"short side 256, {output}, against ImageFolder on 500x375", small_rate, 3.5))
    rows.append(Row("500x375, uint8, of libjpeg-turbo alone", best["ours, 500x375, uint8"] / best["decoder"], 0.85))
    assert table(rows)


def test_two_threads_against_one(tmp_path: Path) -> None:
    made(tmp_path)
    ways = {threads: ours(opened(tmp_path, threads=threads), "uint8") for threads in (1, 2)}
    best = dict.fromkeys(ways, 0.0)
    for _ in range(9):
        for threads, run in ways.items():
            start = time.perf_counter()
            num = sum(run() for _ in range(3))
            best[threads] = max(best[threads], num / (time.perf_counter() - start))
    assert table([Row("500x375, uint8, two threads against one", best[2] / best[1], 1.85)])


class Images(Dataset[tuple[torch.Tensor, int]]):
    """Decoded images behind torchvision's transforms, as its training references write CIFAR."""

    def __init__(self, images: np.ndarray, transform: v2.Compose) -> None:
        self._images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        self._transform = transform

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self._transform(self._images[row]), 0


def test_a_resident_augmented_set_outruns_torchvisions_loader(tmp_path: Path) -> None:
    num = 2048
    images = np.random.Generator(np.random.Philox(key=1)).integers(0, 256, (num, 32, 32, 3), dtype=np.uint8)
    keys = tuple(f"image-{row}" for row in range(num))
    splits = {split: (images, np.arange(num) % 10, keys) for split in ("train", "test")}
    make_shards(array_source("noise", tuple("0123456789"), splits, {}), tmp_path / "data" / "noise")
    feed = open_feed(preset("cifar10").replace({"data.name": "noise"}), tmp_path, threads=0)
    transform = v2.Compose(
        [
            v2.RandomCrop(32, padding=4, padding_mode="reflect"),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.25] * 3),
        ]
    )
    loader = DataLoader(Images(images, transform), batch_size=128, shuffle=True, drop_last=True)
    best = rates({"ours": ours(feed, "float"), "stock": lambda: sum(len(batch) for batch, _ in loader)})
    assert table([Row("32x32, resident, pad-crop, flip, float", best["ours"] / best["stock"], 5)])
