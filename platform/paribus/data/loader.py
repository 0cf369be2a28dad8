"""Batches out of rows, made ahead of who asks by threads that work on one batch at a time."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.dlpack import from_dlpack

from paribus.data.pixel_source import Asked, PixelBatch, Positions, RowSource
from paribus.images.decode import Pixels
from paribus.shards.index import Index
from paribus.shards.input_times import InputTimes

T = TypeVar("T")
# Enough that a step which takes longer than usual leaves no thread idle, few enough to hold in memory.
_JOBS_AHEAD = 2
# What a thread does at a time, at least: enough to hide what a batch costs however small it is.
_PIECE_IMAGES, _PIECE_BYTES = 32, 1 << 20


@dataclass(frozen=True, kw_only=True)
class Loader:
    """A source of batches on the host: `threads` (0: the caller) fill each of `shape` (H, W, C) images from `rows`.

    With a GPU as `device` they are made in pinned memory.
    """

    rows: RowSource
    index: Index
    shape: tuple[int, int, int]
    threads: int
    input_times: InputTimes
    device: torch.device | None

    def batches(self, asked: Asked) -> Iterator[PixelBatch]:
        """A batch a step, in turn; those who do not decode are left out of it."""
        parts = asked.rows
        least = max(_PIECE_IMAGES, _PIECE_BYTES // math.prod(self.shape))
        begun: deque[tuple[Pixels, Positions]] = deque()

        def filled(positions: Positions, out: Pixels) -> NDArray[np.bool_]:
            with self.input_times.timing("decode"):
                return self.rows.fill(positions, out, asked.draw(self.index, positions))

        def jobs() -> Iterator[list[Callable[[], NDArray[np.bool_]]]]:
            for step, positions in enumerate(parts, asked.start):
                out = self._buffer(len(positions)) if asked.allocate is None else asked.allocate(step)
                begun.append((out, positions))
                piece = max(least, -(-len(positions) // max(self.threads, 1)))
                starts = range(0, len(positions), piece)
                yield [partial(filled, positions[at : at + piece], out[at : at + piece]) for at in starts]

        ahead = self.rows.ahead(np.concatenate(parts) if len(parts) else np.empty(0, np.int32))
        # Downloads are cancelled first, so that no thread has to wait for one before it ends.
        with closing(in_order(jobs(), self.threads)) as done, ahead:
            for good in done:
                yield _compact(*begun.popleft(), np.concatenate([np.empty(0, bool), *good]))

    def _buffer(self, num: int) -> Pixels:
        """Memory for a batch. A GPU copies from pinned memory while the host goes on; torch keeps and reuses it."""
        shape = (num, *self.shape)
        if self.device is None or self.device.type != "cuda" or not torch.cuda.is_available():
            return np.empty(shape, np.uint8)
        pinned: Pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=True).numpy()
        return pinned


def _compact(out: Pixels, positions: Positions, good: NDArray[np.bool_]) -> PixelBatch:
    """Without the images that did not decode; the others close ranks."""
    if good.all():
        return PixelBatch(from_dlpack(out), positions, positions[:0])
    num = int(good.sum())
    out[:num] = out[good]
    return PixelBatch(from_dlpack(out[:num]), positions[good], positions[~good])


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
    torch.set_num_threads(1)
