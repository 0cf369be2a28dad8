"""Samples straight from the shards, read, decoded and viewed as they are asked for."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.data.augment import Draw
from paribus.data.pixel_source import Crops, Positions
from paribus.errors import UndecodableError
from paribus.images.crop import Box, crop
from paribus.images.decode import Pixels, View, decode, view
from paribus.shards.manifest import Manifest
from paribus.shards.reading import ShardReader


@dataclass(frozen=True)
class Viewing:
    """How stored images become the images of a split: `size` is the side of the input in pixels."""

    kind: View
    size: int
    channels: int
    exact: bool

    def shape(self, manifest: Manifest) -> tuple[int, int, int] | None:
        """(H, W, C) of all images, or None where they differ."""
        if self.kind != "stored":
            return (self.size, self.size, self.channels)
        same = manifest.smallest == manifest.largest
        return (*manifest.smallest, self.channels) if same else None

    def of(self, data: bytes) -> Pixels | None:
        """The viewed image, or None where the file does not decode."""
        try:
            return self.cut(decode(data, self.channels))
        except UndecodableError:
            return None

    def cut(self, pixels: Pixels) -> Pixels:
        """The view of a stored image."""
        return view(pixels, self.kind, self.size)

    def write(self, data: bytes, out: Pixels, box: Box | None, flip: bool) -> bool:
        """Write the view, or the crop at `box`, of a file into `out` (H, W, C); False if it does not decode."""
        try:
            if box is None:
                out[:] = self.cut(decode(data, self.channels))
            else:
                crop(data, self.channels, box, out, exact=self.exact, flip=flip)
        except UndecodableError:
            return False
        return True


class Stream:
    """A source of rows that holds open files alone: a request far into an epoch costs no more than an early one."""

    def __init__(self, reader: ShardReader, viewing: Viewing) -> None:
        self._reader, self._viewing = reader, viewing
        self._known_undecodable = reader.index.rows["height"] == 0

    def ahead(self, positions: Positions) -> AbstractContextManager[object]:
        return self._reader.ahead(positions)

    def fill(
        self, positions: Positions, out: Pixels, draw: Draw | None = None, crops: Crops | None = None
    ) -> NDArray[np.bool_]:
        good: NDArray[np.bool_] = ~self._known_undecodable[positions]
        rows = positions.tolist()
        # As lists: numbers taken out of an array one by one cost each thread time in which no other runs.
        boxes, flips = (None, None) if crops is None else (crops.boxes.tolist(), crops.flips.tolist())
        for place in np.flatnonzero(good).tolist():
            box, flip = (None, False) if boxes is None or flips is None else (tuple(boxes[place]), flips[place])
            good[place] = self._viewing.write(self._reader.read(rows[place]), out[place], box, flip)
        return good

    def image(self, row: int) -> Pixels | None:
        return None if self._known_undecodable[row] else self._viewing.of(self._reader.read(row))
