"""The form of a source: classes, and per split a listing of samples that nothing has read yet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from paribus.images.decode import Pixels
from paribus.images.png import encode_png


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """An image file: its suffix without the dot, its bytes, and (H, W, C) uint8 pixels where they are known already."""

    suffix: str
    data: bytes
    pixels: Pixels | None = None


Load = Callable[[int], File]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The samples of a split, not yet read: keys (N), labels (N,) and the files' sizes in bytes (N,).

    `load(row)` reads one file. It is called in worker processes, so it must pickle, and should carry little.
    Sizes decide which shard holds which sample, nothing else; 0 where a source does not know them.
    """

    keys: Sequence[str]
    labels: NDArray[np.int64]
    sizes: NDArray[np.int64]
    load: Load

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where samples come from.

    `in_order`: the rows of a listing are stored as they stand; else each split is sorted by a keyed hash of its
    keys, so that no shard holds one class alone. `made` enters the manifest, and so the digest. `notes` are sentences
    for whoever makes the set: what was found out, renumbered or left out.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, Listing]
    made: Mapping[str, str | int | bool] = field(default_factory=dict)
    in_order: bool = False
    notes: tuple[str, ...] = ()


def tidy_key(name: str) -> str:
    """`name` as a key: WebDataset ends one at the first dot of the file's name, and a list of keys at a line's end."""
    return name.replace(".", "_").replace("\t", "_").replace("\n", "_").replace("\r", "_")


Arrays = tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...]]


def array_source(
    name: str, classes: tuple[str, ...], splits: Mapping[str, Arrays], made: Mapping[str, str | int | bool]
) -> Source:
    """A source of PNGs from arrays, in their order: per split images (N, H, W, C) uint8, labels (N,) and N keys."""
    listings = {
        split: Listing(keys=keys, labels=labels, sizes=_png_sizes(images), load=_Pngs(images))
        for split, (images, labels, keys) in splits.items()
    }
    return Source(name=name, classes=classes, splits=listings, made=made, in_order=True)


@dataclass(frozen=True)
class _Pngs:
    """Loads the PNG of a row of (N, H, W, C) uint8."""

    images: NDArray[np.uint8]

    def __call__(self, row: int) -> File:
        return File(suffix="png", data=encode_png(self.images[row]), pixels=self.images[row])


def _png_sizes(images: NDArray[np.uint8]) -> NDArray[np.int64]:
    # Nothing is compressed, so images of one shape are files of one size.
    return np.full(len(images), len(encode_png(images[0])) if len(images) else 0, np.int64)
