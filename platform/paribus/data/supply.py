"""What stands between shards and a feed: requests for samples in, pixels out."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from paribus.data.decode import Pixels, View, decode, view
from paribus.data.errors import UndecodableError
from paribus.data.manifest import Manifest

T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """One batch: rows of the index, and per row the window in which a stream meets it (rising)."""

    positions: NDArray[np.int64]
    windows: NDArray[np.int64]


@dataclass(frozen=True)
class Loaded:
    """The images of a request, (N, H, W, C) uint8 or a list of (H, W, C) of several sizes; `positions` (N,) decoded."""

    images: Pixels | list[Pixels]
    positions: NDArray[np.int64]
    undecodable: NDArray[np.int64]


class Supply(Protocol):
    """Where the pixels of a split come from."""

    def tasks(self, requests: Sequence[Request], ahead: bool) -> Iterator[Callable[[], Loaded]]:
        """One task per request, in order; a task may run in any thread. `ahead`: read shards before they are needed."""
        ...


@dataclass(frozen=True)
class Viewing:
    """How stored images become the images of a split: `size` is the side of the input in pixels."""

    kind: View
    size: int
    channels: int

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


def in_order(tasks: Iterator[Callable[[], T]], threads: int) -> Iterator[T]:
    """The results of `tasks` in their order, computed by `threads` threads beforehand, or by the caller where 0."""
    if threads == 0:
        for task in tasks:
            yield task()
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="paribus-data")
    try:
        waiting: deque[Future[T]] = deque()
        for task in tasks:
            waiting.append(pool.submit(task))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
