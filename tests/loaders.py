"""The loaders that others would use: each function gives a way to read a set once, and how many images it read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import litdata  # type: ignore[import-untyped]
import torch
import webdataset as wds
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

SIZE, BATCH = 224, 32
MEAN, SD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
Output = Literal["uint8", "float"]
Way = Callable[[], int]


def augmentation(output: Output) -> v2.Compose:
    """Random resized crop and flip, as torchvision's training reference has them; then normalised, or bytes."""
    last = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, SD)] if output == "float" else []
    return v2.Compose([v2.RandomResizedCrop(SIZE, antialias=True), v2.RandomHorizontalFlip(), v2.ToImage(), *last])


def image_folder(folder: Path, output: Output) -> Way:
    """torchvision's ImageFolder and torch's DataLoader without workers; Pillow decodes and resizes."""
    loader: DataLoader[Any] = DataLoader(ImageFolder(str(folder), augmentation(output)), BATCH, shuffle=True)
    return lambda: sum(len(images) for images, _ in loader)


def web_dataset(shards: list[Path], output: Output) -> Way:
    """WebDataset as its README has it: a shuffle buffer, Pillow, torchvision's transforms."""
    stock = (
        wds.WebDataset([str(shard) for shard in shards], shardshuffle=len(shards))
        .shuffle(1000)
        .decode("pil")
        .to_tuple("jpg", "cls")
        .map_tuple(augmentation(output), int)
        .batched(BATCH)
    )
    return lambda: sum(len(images) for images, _ in stock)


def write_litdata(files: list[tuple[bytes, int]], folder: Path) -> None:
    """LitData's own chunks of the JPEGs as they are."""
    folder.mkdir(parents=True)
    cache = litdata.streaming.Cache(str(folder), chunk_bytes="64MB")
    for number, (data, label) in enumerate(files):
        cache[number] = {"image": litdata.Jpeg(bytes=data), "label": label}
    cache.done()
    cache.merge()


class _Crops(litdata.StreamingDataset):  # type: ignore[misc]
    def __init__(self, folder: Path, output: Output) -> None:
        super().__init__(str(folder), shuffle=True)
        self._augmented = augmentation(output)

    def __getitem__(self, index: Any) -> Any:
        sample = super().__getitem__(index)
        return self._augmented(sample["image"]), sample["label"]


def lit_data(folder: Path, output: Output) -> Way:
    """LitData's StreamingDataset and its loader without workers; torchvision decodes and resizes tensors."""
    loader = litdata.StreamingDataLoader(_Crops(folder, output), batch_size=BATCH)
    return lambda: sum(len(images) for images, _ in loader)
