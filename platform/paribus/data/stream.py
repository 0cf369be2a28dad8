"""Samples straight from the shards, one window of shards in memory at a time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from paribus.data.manifest import Index
from paribus.data.reading import ShardReader
from paribus.data.supply import Loaded, Request, Viewing

Files = dict[int, bytes]
_NONE = np.empty(0, np.int64)


class Stream:
    """A supply that reads whole shards, in the order of the windows, and decodes what the requests name.

    A request far into an epoch costs no more than one at its start: windows that nothing asks for are not read.
    """

    def __init__(self, reader: ShardReader, index: Index, viewing: Viewing) -> None:
        self._reader, self._index, self._viewing = reader, index, viewing

    def tasks(self, requests: Sequence[Request], ahead: bool) -> Iterator[Callable[[], Loaded]]:
        held: Files = {}
        for request, files in zip(requests, self._files(requests, ahead), strict=True):
            held |= files
            data = [held.pop(position) for position in request.positions.tolist()]
            yield partial(self._load, request.positions, data)

    def _files(self, requests: Sequence[Request], ahead: bool) -> Iterator[Files]:
        """Per request the files of the windows that it is the first to enter."""
        positions = np.concatenate([_NONE, *(request.positions for request in requests)])
        windows = np.concatenate([_NONE, *(request.windows for request in requests)])
        needs = [positions[windows == number] for number in np.unique(windows)]
        entered = np.cumsum(np.diff(windows, prepend=-1) > 0)
        ends = np.cumsum([len(request.positions) for request in requests])
        loads = _ahead(self._window, needs) if ahead and needs else map(self._window, needs)
        done = 0
        for end in ends:
            files: Files = {}
            while end and done < entered[end - 1]:
                files |= next(loads)
                done += 1
            yield files

    def _window(self, positions: NDArray[np.int64]) -> Files:
        files: Files = {}
        shards = self._index.shard_of[positions]
        for number in np.unique(shards):
            images = self._reader.read(int(number))
            start = int(self._index.starts[number])
            files |= {row: images[row - start] for row in positions[shards == number].tolist()}
        return files

    def _load(self, positions: NDArray[np.int64], data: list[bytes]) -> Loaded:
        seen = [self._viewing.of(file) for file in data]
        good = np.array([image is not None for image in seen], bool)
        images = [image for image in seen if image is not None]
        return Loaded(images, positions[good], positions[~good])


def _ahead(load: Callable[[NDArray[np.int64]], Files], needs: list[NDArray[np.int64]]) -> Iterator[Files]:
    """`load` of each need, one need ahead of the caller."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="paribus-shards")
    try:
        following: Future[Files] = pool.submit(load, needs[0])
        for need in needs[1:]:
            current, following = following, pool.submit(load, need)
            yield current.result()
        yield following.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
