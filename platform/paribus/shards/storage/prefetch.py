"""Shards of a place opened in a given order, the next ones downloaded meanwhile."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import TracebackType
from typing import BinaryIO

from paribus.shards.storage.locations import ShardLocation

Entry = tuple[str, int, str]
NUM_AHEAD = 4
MIB_AHEAD = 1024


class Prefetch:
    """Iterates over the `files` of `place`, each (name, bytes, SHA-256), as files open for reading; close each.

    At most `num_ahead` files, and of them no more than `mib_ahead` MiB unless one alone is larger, are being fetched or
    lie ready. What goes wrong with a file is raised when its turn comes. Leaving the context, or `close`, cancels
    what is under way and waits for its threads: at most until a silent server's time is up.
    """

    def __init__(
        self, place: ShardLocation, files: Iterable[Entry], *, num_ahead: int = NUM_AHEAD, mib_ahead: int = MIB_AHEAD
    ) -> None:
        if num_ahead < 1:
            raise ValueError(f"num_ahead = {num_ahead}: at least 1 file must be fetched at a time")
        self._place, self._left = place, iter(files)
        self._num_ahead, self._bytes_ahead = num_ahead, mib_ahead << 20
        self._next: Entry | None = next(self._left, None)
        self._coming: deque[tuple[int, Future[BinaryIO]]] = deque()
        self._cancelled, self._lock = threading.Event(), threading.Lock()
        self._pool = ThreadPoolExecutor(num_ahead, thread_name_prefix="paribus-prefetch")
        self._top_up()

    def __iter__(self) -> Iterator[BinaryIO]:
        return self

    def __next__(self) -> BinaryIO:
        """The next file; CancelledError if this was closed before the last."""
        if self._cancelled.is_set():
            raise CancelledError
        if not self._coming:
            self._pool.shutdown()
            raise StopIteration
        _, due = self._coming[0]
        opened = due.result()
        with self._lock:
            if self._cancelled.is_set():
                opened.close()
                raise CancelledError
            self._coming.popleft()
            self._top_up()
        return opened

    def close(self) -> None:
        """Cancel what is under way, close what lies ready; safe to repeat, and from any thread."""
        with self._lock:
            self._cancelled.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for _, future in self._coming:
            if not future.cancelled() and future.exception() is None:
                future.result().close()

    def __enter__(self) -> "Prefetch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _top_up(self) -> None:
        while self._next is not None and not self._cancelled.is_set():
            file, num_bytes, sha256 = self._next
            ahead = num_bytes + sum(size for size, _ in self._coming)
            if self._coming and (len(self._coming) >= self._num_ahead or ahead > self._bytes_ahead):
                return
            future = self._pool.submit(self._place.open, file, num_bytes, sha256, self._cancelled)
            self._coming.append((num_bytes, future))
            self._next = next(self._left, None)
