"""What is learnt from the pixels of a set while they pass by; sums are whole numbers, so their order cannot matter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from paribus.errors import UndecodableError
from paribus.images.decode import Pixels, decode, is_grey
from paribus.shards.sources.source import File

# The index holds sides in 16 bits.
MAX_SIDE = 65_535


@dataclass
class Survey:
    """Sums over some images of a set; those of parts add up to those of the whole.

    `smallest` and `largest` are (height, width) in pixels, None before the first image. `pixels`, `total` and
    `squares` (per channel) are over the training images: their number, the sum of their values, and of the squares.
    """

    smallest: tuple[int, int] | None = None
    largest: tuple[int, int] | None = None
    grey: bool = True
    pixels: int = 0
    total: list[int] = field(default_factory=lambda: [0, 0, 0])
    squares: list[int] = field(default_factory=lambda: [0, 0, 0])
    undecodable: list[str] = field(default_factory=list)

    def see(self, file: File, name: str, train: bool) -> tuple[int, int]:
        """(height, width) in pixels of `file`, as displayed; (0, 0) where it does not decode, which is noted."""
        try:
            # In colour, because only the last file tells whether all are grey.
            pixels = decode(file.data, 3) if file.pixels is None else file.pixels
            height, width, channels = pixels.shape
            if max(height, width) > MAX_SIDE:
                raise UndecodableError(f"{height}x{width} pixels: a side has {MAX_SIDE:,} at most")
        except UndecodableError as error:
            self.undecodable.append(f"{name}.{file.suffix} ({error})")
            return (0, 0)
        self.grey = self.grey and (channels == 1 or (file.pixels is None and is_grey(file.data)))
        self._add_size((height, width), (height, width))
        if train:
            self._add_pixels(pixels)
        return height, width

    def add(self, other: "Survey") -> None:
        """Add the sums of another part of the set."""
        if other.smallest is not None and other.largest is not None:
            self._add_size(other.smallest, other.largest)
        self.grey = self.grey and other.grey
        self.pixels += other.pixels
        self.total = [mine + theirs for mine, theirs in zip(self.total, other.total, strict=True)]
        self.squares = [mine + theirs for mine, theirs in zip(self.squares, other.squares, strict=True)]
        self.undecodable += other.undecodable

    def mean_and_sd(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and sd per channel over the training pixels, in units of full white."""
        mean = tuple(total / self.pixels / 255 for total in self.total[:channels])
        # n * sum of squares - (sum)^2 in whole numbers: no cancellation.
        spread = [self.pixels * squares - total**2 for total, squares in zip(self.total, self.squares, strict=True)]
        return mean, tuple(sqrt(value) / self.pixels / 255 for value in spread[:channels])

    def _add_size(self, smallest: Sequence[int], largest: Sequence[int]) -> None:
        low, high = self.smallest or smallest, self.largest or largest
        self.smallest = (min(low[0], smallest[0]), min(low[1], smallest[1]))
        self.largest = (max(high[0], largest[0]), max(high[1], largest[1]))

    def _add_pixels(self, pixels: Pixels) -> None:
        height, width, channels = pixels.shape
        self.pixels += height * width
        rows = pixels.reshape(height, -1)
        squares = rows.astype(np.uint16)
        squares *= squares
        for sums, values in ((self.total, rows), (self.squares, squares)):
            # Down the columns first, where it is fast: MAX_SIDE times 255 squared just fits 32 bits.
            columns = np.add.reduce(values, axis=0, dtype=np.uint32).reshape(-1, channels)
            per_channel = columns.sum(axis=0, dtype=np.int64).tolist()
            for channel in range(3):
                # A grey image among coloured ones counts in every channel, as it would be decoded.
                sums[channel] += per_channel[channel % channels]
