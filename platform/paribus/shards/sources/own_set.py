"""A dataset of the user's: `my_data:Scans` of a file beside the study, called with a split's name for each split.

What it gives has `__len__`, and `__getitem__` from a row to an image and the number of its class; optional `labels`
(one number a row) spare a pass over all images, `classes` names the numbers. An image is the bytes of a file, a
`PIL.Image`, or an array of (H, W), (H, W, 1) or (H, W, 3) uint8.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from paribus.errors import DataError
from paribus.host.shown import shown
from paribus.images.decode import Pixels
from paribus.images.png import encode_png
from paribus.plugins import files_behind, load
from paribus.recipe.components.component import DATASET
from paribus.shards.index import Index
from paribus.shards.sources.file_type import suffix_of
from paribus.shards.sources.source import File, Listing, Source

# Rows that are compared with what was made of them before; a look at all would take as long as making it.
_LOOKED_AT = 8


def own_set(reference: str, splits: Sequence[str]) -> Source:
    """The source of the set that `reference` names, with those splits; each is opened once, and visited for its labels.

    Raises:
        RecipeError: there is nothing of that name.
        DataError: it fails, or gives what is no image with its class.
    """
    opened = {split: _opened(reference, split) for split in splits}
    labels = {split: _labels(reference, split, rows) for split, rows in opened.items()}
    highest = max(int(each.max()) for each in labels.values())
    listings = {
        split: Listing(
            keys=[f"{split}-{row:07d}" for row in range(len(each))],
            labels=each,
            sizes=np.zeros(len(each), np.int64),
            load=_Files(reference, split),
        )
        for split, each in labels.items()
    }
    classes = _classes(reference, opened[splits[0]], highest)
    return Source(name=reference, classes=classes, splits=listings, made={"source": reference})


def state_of(reference: str) -> str:
    """16 hex digits that change with the files that the set is written in, and those that they import beside them."""
    texts = sorted(sha256(file.read_bytes()).hexdigest() for file in files_behind(DATASET, reference))
    return sha256(" ".join([reference, *texts]).encode()).hexdigest()[:16]


def check_unchanged(reference: str, split: str, index: Index, remedy: str) -> None:
    """Compare a few rows of a split, the first and the last among them, with what was made of it.

    Raises:
        DataError: it has other rows, or other bytes in one of them: then `remedy` helps.
    """
    rows = _opened(reference, split)
    if len(rows) != len(index):
        raise DataError(
            f"data.name {reference!r} has {len(rows)} rows of {split!r}, and had {len(index)} when its shards were "
            f"made: {remedy}"
        )
    places = {key: place for place, key in enumerate(index.keys)}
    for row in np.unique(np.linspace(0, len(rows) - 1, _LOOKED_AT).astype(int)).tolist():
        known = index.rows[places[f"{split}-{row:07d}"]]
        image, label = _item(reference, split, rows, row)
        if crc32(_file(reference, split, row, image).data) != known["crc"] or label != known["label"]:
            raise DataError(
                f"data.name {reference!r} gives another image or class as row {row} of {split!r} than when its shards "
                f"were made: {remedy}"
            )


def first_rows(reference: str, split: str) -> list[tuple[bytes, int]]:
    """The files and classes of up to three rows of a split that is opened anew; raises what `own_set` raises."""
    rows = _made(load(reference, DATASET), reference, split)
    found = [_item(reference, split, rows, row) for row in range(min(3, len(rows)))]
    return [(_file(reference, split, row, image).data, label) for row, (image, label) in enumerate(found)]


@dataclass(frozen=True)
class _Files:
    """Loads the file of a row; every process opens the split for itself, which is less than to send it."""

    reference: str
    split: str

    def __call__(self, row: int) -> File:
        image, _ = _item(self.reference, self.split, _opened(self.reference, self.split), row)
        return _file(self.reference, self.split, row, image)


def _opened(reference: str, split: str) -> Any:
    """A split, opened once a process and class: a module that is imported anew has another."""
    return _kept(load(reference, DATASET), reference, split)


@lru_cache(maxsize=4)
def _kept(kind: Callable[[str], Any], reference: str, split: str) -> Any:
    return _made(kind, reference, split)


def _made(kind: Callable[[str], Any], reference: str, split: str) -> Any:
    try:
        rows = kind(split)
        number = len(rows)
    except Exception as error:  # a user's code may raise anything
        raise DataError(
            f"data.name {reference!r} failed when it was called with {split!r} ({type(error).__name__}: {error}): it "
            "takes the name of a split (data.train_split, data.eval_split), and gives what has __len__ and __getitem__"
        ) from error
    if not number:
        raise DataError(f"data.name {reference!r} has no rows of {split!r}")
    return rows


def _item(reference: str, split: str, rows: Any, row: int) -> tuple[Any, int]:
    """An image, and the number of its class."""
    try:
        image, target = rows[row]
        label = operator.index(target)
    except Exception as error:
        raise DataError(
            f"data.name {reference!r}, row {row} of {split!r}, is no image with the number of its class "
            f"({type(error).__name__}: {error})"
        ) from error
    if label < 0:
        raise DataError(f"data.name {reference!r}, row {row} of {split!r}, has class {label}: classes count from 0")
    return image, label


def _labels(reference: str, split: str, rows: Any) -> NDArray[np.int64]:
    given = getattr(rows, "labels", None)
    if given is None:
        return np.array([label for _, label in _items(reference, split, rows)], np.int64)
    labels = np.asarray(given)
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise DataError(
            f"data.name {reference!r}: its labels of {split!r} are {labels.dtype} {labels.shape}: they should be "
            f"({len(rows)},) numbers from 0 on, or left out"
        )
    return labels.astype(np.int64)


def _items(reference: str, split: str, rows: Any) -> Iterator[tuple[Any, int]]:
    for row in range(len(rows)):
        yield _item(reference, split, rows, row)


def _file(reference: str, split: str, row: int, image: Any) -> File:
    """The image's file: bytes as they are, pixels as PNG."""
    if isinstance(image, bytes):
        return File(suffix=suffix_of(image, ""), data=image)
    if isinstance(image, Image.Image) and image.mode not in ("L", "RGB"):
        stream = BytesIO()  # such as a palette: the file keeps what the decoder makes of it
        image.save(stream, "PNG")
        return File(suffix="png", data=stream.getvalue())
    given = np.asarray(image)
    pixels: Pixels = given[:, :, None] if given.ndim == 2 else given
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        kind = f"{given.dtype} {given.shape}" if isinstance(image, np.ndarray) else shown(image)
        raise DataError(
            f"data.name {reference!r}, row {row} of {split!r}, gives the image {kind}: it should be a file's bytes, a "
            "PIL.Image, or an array of (H, W), (H, W, 1) or (H, W, 3) uint8"
        )
    return File(suffix="png", data=encode_png(np.ascontiguousarray(pixels)), pixels=pixels)


def _classes(reference: str, rows: Any, highest: int) -> tuple[str, ...]:
    names = tuple(str(name) for name in getattr(rows, "classes", None) or range(highest + 1))
    if len(names) <= highest or len(set(names)) < len(names):
        raise DataError(
            f"data.name {reference!r} names {len(set(names))} classes apart, and has one with the number {highest}: "
            "give `classes` a name for each, no two the same, or leave it out"
        )
    return names
