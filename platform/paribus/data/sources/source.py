"""The form of a source: names, counts, and an iterator of samples per split."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from paribus.data.decode import Pixels
from paribus.data.png import encode_png


@dataclass(frozen=True, kw_only=True)
class Item:
    """One sample: its file's bytes as they will be stored, and its pixels where they are known already."""

    key: str
    label: int
    suffix: str
    data: bytes
    pixels: Pixels | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where samples come from. `items(split)` yields `counts[split]` of them; `num_bytes` is an estimate of all."""

    name: str
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    items: Callable[[str], Iterator[Item]]
    num_bytes: int
    made: Mapping[str, str | int | bool] = field(default_factory=dict)


Arrays = tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]


def array_source(
    name: str, classes: tuple[str, ...], splits: Mapping[str, Arrays], made: Mapping[str, str | int | bool]
) -> Source:
    """A source of PNGs from arrays: per split images (N, H, W, C) uint8, labels (N,) int64 and N keys."""

    def items(split: str) -> Iterator[Item]:
        for image, label, key in zip(*splits[split], strict=True):
            yield Item(key=key, label=int(label), suffix="png", data=encode_png(image), pixels=image)

    counts = {split: len(keys) for split, (_, _, keys) in splits.items()}
    # A tar member takes a header of 512 bytes and is padded to as much, and a sample has two members.
    num_bytes = sum(images.nbytes + 2048 * len(images) for images, _, _ in splits.values())
    return Source(name=name, classes=classes, counts=counts, items=items, num_bytes=num_bytes, made=made)
