"""Shards made by several processes at once; each is independent of the others, so no more is needed."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from typing import Any, Protocol

from paribus.errors import DataError
from paribus.host.progress_bar import ProgressBar

_POLL_S = 0.2


class Writes(Protocol):
    """What does a job; it goes to worker processes, as jobs do, so both must pickle."""

    def write(self, job: Any, tick: Callable[[int], None]) -> None:
        """Do `job`, whole or not at all; call `tick` after each sample with the bytes that were read for it."""
        ...


def write_all(jobs: Iterator[Any], writing: Writes, num_workers: int, progress_bar: ProgressBar) -> None:
    """Make the shards of `jobs`: in this process where one worker is asked for, else in spawned ones.

    Raises:
        DataError: a worker was killed, or met what `writing.write` raises. What is finished stays.
    """
    if num_workers == 1:
        for job in jobs:
            writing.write(job, progress_bar.tick)
        return
    context, others = get_context("spawn"), active_children()
    # Each worker counts in a place of its own: no lock that a killed one could hold for ever.
    counts, number = context.RawArray("q", 2 * num_workers), context.Value("i", 0)
    with ProcessPoolExecutor(num_workers, context, _enter, (writing, counts, number)) as pool:
        try:
            _hand_out(pool, jobs, 2 * num_workers, lambda: progress_bar.set(sum(counts[::2]), sum(counts[1::2])))
        except BaseException as error:
            # Not asked but killed: one may hang in a read, and none leaves more than an unfinished file.
            for child in active_children():
                if child not in others:
                    child.kill()
            pool.shutdown(cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise DataError(
                    "a worker process was killed, perhaps because memory ran out: give the command again to go on, "
                    "with fewer --workers if memory is short"
                ) from None
            raise


def _hand_out(pool: ProcessPoolExecutor, jobs: Iterator[Any], num_ahead: int, show: Callable[[], None]) -> None:
    pending: set[Future[None]] = set()
    more = True
    while more or pending:
        # Few at a time: a job holds the keys of its samples.
        while more and len(pending) < num_ahead:
            job = next(jobs, None)
            more = job is not None
            if job is not None:
                with _no_interrupt():
                    pending.add(pool.submit(_write, job))
        finished, pending = wait(pending, _POLL_S, FIRST_COMPLETED)
        show()
        for future in finished:
            future.result()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Ctrl-C waits; processes that start within the block never hear of it, not even while they begin."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Work:
    """What a worker process works with; set once, when it begins."""

    writing: Writes
    counts: Any
    place: int


def _enter(writing: Writes, counts: Any, number: Any) -> None:
    """Begin a worker process; the parent's death is its own."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with number.get_lock():
        _Work.place = 2 * number.value
        number.value += 1
    _Work.writing, _Work.counts = writing, counts


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _write(job: Any) -> None:
    _Work.writing.write(job, _tick)


def _tick(num_bytes: int) -> None:
    _Work.counts[_Work.place] += 1
    _Work.counts[_Work.place + 1] += num_bytes
