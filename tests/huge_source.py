"""A source of ImageNet's number of samples that takes no disk; `python huge_source.py FOLDER` makes shards of it."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paribus.images.png import encode_png
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.names import Names
from paribus.shards.sources.source import File, Listing, Source

NUM = 1_281_167


@dataclass(frozen=True)
class OnePixel:
    """Loads images of one pixel; knows a path for each, as a folder of images would."""

    paths: Names

    def __call__(self, row: int) -> File:
        pixels = np.full((1, 1, 3), row % 251, np.uint8)
        return File(suffix="png", data=encode_png(pixels), pixels=pixels)


def huge_source(num: int) -> Source:
    """`num` images of one pixel in 1,000 classes that claim to take 5 KB each."""
    paths = Names(f"n{number % 1000:08}/n{number % 1000:08}_{number}.JPEG" for number in range(num))
    train = Listing(
        keys=Names(path.removesuffix(".JPEG") for path in paths),
        labels=np.arange(num) % 1000,
        sizes=np.full(num, 5_000),
        load=OnePixel(paths),
    )
    return Source(name="huge_source", classes=tuple(f"n{number:08}" for number in range(1000)), splits={"train": train})


if __name__ == "__main__":
    make_shards(huge_source(NUM), Path(sys.argv[1]), workers=2)
