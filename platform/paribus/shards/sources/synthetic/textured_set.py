"""A set of pictures from `textures.py`: as many, of as many looks and sizes, as asked for; made when loaded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.counters import integers, sample_ids
from paribus.shards.sources.names import Names
from paribus.shards.sources.source import File, Listing, Source
from paribus.shards.sources.synthetic.textures import MAX_CLASSES, jpeg, picture

Sizes = tuple[tuple[int, int], ...]
IMAGES = 50
_MIN_SIDE, _MAX_SIDE = 16, 8192
# What a pixel costs in such a JPEG, in bytes, within a fifth: 107 KB for 500x375.
_BYTES_PER_PIXEL = 0.57


def textured_set(
    *, classes: int, sizes: Sizes, images: int = IMAGES, test_images: int | None = None, seed: int = 0
) -> Source:
    """`images` training pictures of each of `classes` classes, and `test_images` others (default: a fifth as many).

    Each picture has one of `sizes` (width, height), by a hash of its key.

    Raises:
        DataError: counts or sides out of their ranges.
    """
    test_images = max(1, images // 5) if test_images is None else test_images
    if not 2 <= classes <= MAX_CLASSES:
        raise DataError(f"{classes} classes: there are 2 to {MAX_CLASSES:,} looks")
    if images < 1 or test_images < 1:
        raise DataError(f"{images} training and {test_images} test images of each class: both must be at least 1")
    if not 0 <= seed < 2**63:
        raise DataError(f"seed {seed}: it must be 0 to 2**63 - 1")
    for width, height in sizes:
        if min(width, height) < _MIN_SIDE or max(width, height) > _MAX_SIDE:
            raise DataError(f"size {width}x{height}: sides measure {_MIN_SIDE} to {_MAX_SIDE:,} pixels")
    counts = {"train": images, "test": test_images}
    return Source(
        name="textures",
        classes=tuple(f"look-{label:04d}" for label in range(classes)),
        splits={split: _listing(split, classes, count, sizes, seed) for split, count in counts.items()},
        made={"source": "textures", "sizes": ",".join(f"{width}x{height}" for width, height in sizes), "seed": seed},
    )


@dataclass(frozen=True, kw_only=True)
class _Pictures:
    """Makes the picture of a row; rows go through the classes, `count` for each."""

    split: str
    count: int
    sizes: Sizes
    seed: int

    def __call__(self, row: int) -> File:
        label, number = divmod(row, self.count)
        key = _key(self.split, label, number)
        size = self.sizes[int(_chosen(Names([key]), self.sizes, self.seed)[0])]
        return File(suffix="jpg", data=jpeg(picture(self.seed, key, label, size)))


def _listing(split: str, classes: int, count: int, sizes: Sizes, seed: int) -> Listing:
    keys = Names(_key(split, label, number) for label in range(classes) for number in range(count))
    pixels = np.array([width * height for width, height in sizes])[_chosen(keys, sizes, seed)]
    return Listing(
        keys=keys,
        labels=np.repeat(np.arange(classes, dtype=np.int64), count),
        sizes=(pixels * _BYTES_PER_PIXEL).astype(np.int64),
        load=_Pictures(split=split, count=count, sizes=sizes, seed=seed),
    )


def _chosen(keys: Names, sizes: Sizes, seed: int) -> NDArray[np.int64]:
    """(N,) the number of each picture's size."""
    return integers(sample_ids(keys), len(sizes), "texture", seed, "size")


def _key(split: str, label: int, number: int) -> str:
    return f"look-{label:04d}/{split}-{number:05d}"
