"""What stands between shards and a feed: rows of the index in, pixels out, written in place."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from paribus.errors import UndecodableError
from paribus.images.crop import Box, crop
from paribus.images.decode import Pixels, View, decode, view
from paribus.shards.manifest import Manifest

T = TypeVar("T")
# Enough that a step which takes longer than usual leaves no thread idle, few enough to hold in memory.
_JOBS_AHEAD = 2
Positions = NDArray[np.int32]


@dataclass(frozen=True)
class Crops:
    """What to cut out of each of N images: `boxes` (N, 4) int64 top, left, height, width in pixels, `flips` (N,)."""

    boxes: NDArray[np.int64]
    flips: NDArray[np.bool_]


class PixelSource(Protocol):
    """Where the pixels of a split come from; any thread may ask."""

    def ahead(self, positions: Positions) -> AbstractContextManager[object]:
        """Within the block these rows will be asked for, about in this order."""
        ...

    def fill(self, positions: Positions, out: Pixels, crops: Crops | None) -> NDArray[np.bool_]:
        """Write the N images at `positions`, viewed or cropped, into `out` (N, H, W, C); (N,) which of them decoded."""
        ...

    def image(self, row: int) -> Pixels | None:
        """The viewed image at `row`, (H, W, C), or None where it does not decode."""
        ...


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


def in_order(jobs: Iterator[Sequence[Callable[[], T]]], threads: int) -> Generator[list[T]]:
    """The results of each job's tasks, job by job, computed by `threads` threads beforehand, or by the caller where 0.

    All threads work on the job whose turn it is, and ahead of it on no more than keeps them busy while the caller is.
    """
    if threads == 0:
        for tasks in jobs:
            yield [task() for task in tasks]
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="paribus-data", initializer=_alone)
    try:
        waiting: deque[list[Future[T]]] = deque()
        for tasks in jobs:
            waiting.append([pool.submit(task) for task in tasks])
            if len(waiting) > _JOBS_AHEAD and sum(map(len, waiting)) - len(waiting[0]) >= 2 * threads:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _alone() -> None:
    # torch's team of threads belongs to each thread that calls it: ours are many already.
    import torch

    torch.set_num_threads(1)
