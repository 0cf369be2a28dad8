"""Images per second of one core: our feed beside the stock loaders on the same images, in turns, in one process."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
import webdataset as wds
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2
from turns import rates

from paribus.data import open_feed
from paribus.data.shards import make_shards
from paribus.data.sources.source import File, Listing, Source, array_source
from paribus.recipe import preset

NUM = 2048
MEAN, SD = [0.5] * 3, [0.25] * 3


class Images(Dataset[tuple[torch.Tensor, int]]):
    """Decoded images behind torchvision's transforms, as its training references write CIFAR."""

    def __init__(self, images: np.ndarray, transform: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._images = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        self._transform = transform

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return self._transform(self._images[row]), 0


def report(title: str, best: dict[str, float]) -> float:
    ratio = best["ours"] / best["stock"]
    print(f"\n{title}: ours {best['ours']:,.0f} img/s, stock {best['stock']:,.0f} img/s, ratio {ratio:.1f}")
    return ratio


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_resident_augmented_set_outruns_torchvisions_loader(tmp_path: Path) -> None:
    images = np.random.Generator(np.random.Philox(key=1)).integers(0, 256, (NUM, 32, 32, 3), dtype=np.uint8)
    keys = tuple(f"image-{row}" for row in range(NUM))
    splits = {split: (images, np.arange(NUM) % 10, keys) for split in ("train", "test")}
    make_shards(array_source("noise", tuple("0123456789"), splits, {}), tmp_path / "data" / "noise")
    feed = open_feed(preset("cifar10").replace({"data.name": "noise"}), tmp_path, threads=0)
    transform = v2.Compose(
        [
            v2.RandomCrop(32, padding=4, padding_mode="reflect"),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, SD),
        ]
    )
    loader = DataLoader(Images(images, transform), batch_size=128, shuffle=True, drop_last=True)
    best = rates(
        {
            "ours": lambda: sum(len(batch.images) for batch in feed.batches(1, 2, epoch=0)),
            "stock": lambda: sum(len(batch) for batch, _ in loader),
        }
    )
    assert report("32x32x3, resident, reflect pad-crop, flip, normalise", best) > 5


# The stock pipeline leaves its shards open until they are collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_streamed_photographs_keep_up_with_a_stock_webdataset_pipeline(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "photos"
    make_shards(_photographs(), folder)
    recipe = preset("imagenet").replace(
        {"data.name": "photos", "data.eval_split": "test", "data.batch_size": 32, "data.resident": "never"}
    )
    feed = open_feed(recipe, tmp_path, threads=0)
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(224),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, SD),
        ]
    )
    stock = (
        wds.WebDataset(str(folder / "train-000000.tar"), shardshuffle=False)
        .decode("pil")
        .to_tuple("jpg", "cls")
        .map_tuple(transform, int)
        .batched(32)
    )
    best = rates(
        {
            "ours": lambda: sum(len(batch.images) for batch in feed.batches(1, 2, epoch=0)),
            "stock": lambda: sum(len(images) for images, _ in stock),
        }
    )
    assert report("500x375 JPEG, streamed, random resized crop to 224, flip, normalise", best) > 0.9


def _photographs() -> Source:
    """128 crops of 500x375 pixels of two real photographs."""
    splits = {split: _crops(split, count) for split, count in (("train", 128), ("test", 8))}
    return Source(name="photos", classes=("china", "flower"), splits=splits, in_order=True)


def _crops(split: str, count: int) -> Listing:
    photos = load_sample_images().images
    generator = np.random.Generator(np.random.Philox(key=len(split)))
    crops = []
    for number in range(count):
        photo = photos[number % 2]
        top, left = (int(generator.integers(0, free + 1)) for free in (photo.shape[0] - 375, photo.shape[1] - 500))
        buffer = BytesIO()
        Image.fromarray(photo[top : top + 375, left : left + 500]).save(buffer, "JPEG", quality=90)
        crops.append(buffer.getvalue())
    return Listing(
        keys=[f"{split}-{number}" for number in range(count)],
        labels=np.arange(count) % 2,
        sizes=np.array([len(crop) for crop in crops]),
        load=lambda row: File(suffix="jpg", data=crops[row]),
    )
