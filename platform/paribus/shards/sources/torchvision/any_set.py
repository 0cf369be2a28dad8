"""Any set of torchvision with one class an image. Files are stored as they are where the set gives them out, else PNG.

A set that takes a `loader`, which is what opens its files, is asked for their paths; of others pixels are all there is.
"""

import operator
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from paribus.errors import DataError
from paribus.images.decode import Pixels
from paribus.images.png import encode_png
from paribus.shards.sources.names import Names
from paribus.shards.sources.path_files import PathFiles
from paribus.shards.sources.source import File, Listing, Source, tidy_key
from paribus.shards.sources.torchvision.set_class import Arguments, Asked

_GREY, _COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")


def any_torchvision(spec: str, root: Path | None = None, download: bool = False, quiet: bool = True) -> Source:
    """The set `spec`, NAME[,ARGUMENT=VALUE...] of torchvision.datasets, in the folder `root`: DTD,partition=2.

    Its splits are train, val and test as far as it has them; split=VALUE in `spec` takes that one as train. Every
    sample is visited for its class, which takes a while where pixels are decoded for it. Not `quiet`: progress.

    Raises:
        DataError: no such set or argument (with the nearest), no copy in `root`, a download that failed, or a set
            whose samples are not an image and its class.
    """
    asked = Asked.parse(spec, root)
    opened = asked.splits(download)
    splits = {
        split: _listing(asked, split, arguments, dataset, quiet) for split, (arguments, dataset) in opened.items()
    }
    highest = max(int(listing.labels.max()) for listing in splits.values())
    return Source(
        name=asked.name.lower(),
        classes=_classes(opened["train"][1], highest),
        splits=splits,
        made={"source": f"torchvision {asked.name}", **dict(asked.given)},
    )


@dataclass(frozen=True)
class _Pngs:
    """Loads the pixels of a row as PNG; every process opens the set for itself, which is less than to send it."""

    asked: Asked
    arguments: Arguments

    def __call__(self, row: int) -> File:
        image, _ = _opened(self.asked, self.arguments)[row]
        pixels = _pixels(image, self.asked.name)
        return File(suffix="png", data=encode_png(pixels), pixels=pixels)


@lru_cache(maxsize=4)
def _opened(asked: Asked, arguments: Arguments) -> Any:
    return asked.open(arguments)


def _listing(asked: Asked, split: str, arguments: Arguments, dataset: Any, quiet: bool) -> Listing:
    paths, labels, sizes = [], [], []
    for image, label in _visited(asked.name, split, dataset, quiet):
        labels.append(label)
        if isinstance(image, str):
            paths.append(_below(Path(image), asked.root or Path()))
        else:
            sizes.append(_pixels(image, asked.name).size)
    if not labels:
        raise DataError(f"torchvision:{asked.name} has no {split} images in {asked.root}")
    numbered = Names(f"{split}-{row:06d}" for row in range(len(labels)))
    if not paths:
        load = _Pngs(asked, arguments)
        return Listing(keys=numbered, labels=np.array(labels), sizes=np.array(sizes), load=load)
    files = PathFiles(asked.root or Path(), Names(paths))
    keys = Names(tidy_key(str(Path(path).with_suffix(""))).lstrip("/") for path in paths)
    unique = len(set(keys)) == len(keys)
    return Listing(keys=keys if unique else numbered, labels=np.array(labels), sizes=files.sizes(), load=files)


def _below(path: Path, root: Path) -> str:
    """`path` relative to `root` where it lies below it."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path.absolute())


def _visited(name: str, split: str, dataset: Any, quiet: bool) -> Iterator[tuple[Any, int]]:
    """Every sample's image, or the path of its file, and its class number."""
    from rich.console import Console
    from rich.progress import track

    rows = track(range(len(dataset)), f"{name}: {split} classes read", console=Console(stderr=True), disable=quiet)
    for row in rows:
        image = label = None
        try:
            image, target = dataset[row]
            label = operator.index(target)
        except (TypeError, ValueError):
            pass
        if label is None or label < 0 or not isinstance(image, str | Image.Image):
            if isinstance(image, Image.Image):
                image.close()  # some sets leave the file open until it is decoded
            raise DataError(f"torchvision:{name}, {split} sample {row}, is not an image with the number of its class")
        yield image, label


def _pixels(image: Image.Image, name: str) -> Pixels:
    """(H, W, 1) or (H, W, 3) uint8."""
    if image.mode not in (*_GREY, *_COLOUR):
        raise DataError(f"torchvision:{name} has an image of mode {image.mode!r}, whose samples do not fit into 8 bits")
    pixels = np.asarray(image.convert("L" if image.mode in _GREY else "RGB"))
    return pixels.reshape(*pixels.shape[:2], -1)


def _classes(dataset: Any, highest: int) -> tuple[str, ...]:
    """The set's own names for its classes, where it has one for each; else their numbers."""
    names = [
        ", ".join(name) if isinstance(name, tuple) else str(name)
        for name in getattr(dataset, "classes", None) or getattr(dataset, "categories", None) or ()
    ]
    if len(names) <= highest:
        return tuple(str(label) for label in range(highest + 1))
    times = Counter(names)
    return tuple(name if times[name] == 1 else f"{name} ({label})" for label, name in enumerate(names))
