"""Samples straight from the shards, read and decoded as they are asked for."""

from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from paribus.data.pixel_source import Crops, Positions, Viewing
from paribus.images.decode import Pixels
from paribus.shards.reading import ShardReader


class Stream:
    """A pixel source that holds nothing but open files: a request far into an epoch costs no more than an early one."""

    def __init__(self, reader: ShardReader, viewing: Viewing) -> None:
        self._reader, self._viewing = reader, viewing
        self._known_undecodable = reader.index.rows["height"] == 0

    def ahead(self, positions: Positions) -> AbstractContextManager[object]:
        return self._reader.ahead(positions)

    def fill(self, positions: Positions, out: Pixels, crops: Crops | None) -> NDArray[np.bool_]:
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
