"""One file behind an http(s), s3 or gs address: asked for again when the line fails, resumed where it was cut."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from paribus.errors import DataError
from paribus.shards.storage.retries import LineError, altered, fault_of, too_short

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")
# A cut loses at most this much; a smaller one costs more calls than bytes.
CHUNK_BYTES = 1 << 18
# Its own generator: waiting draws from no stream that a result depends on.
_JITTER = Random()
_process: dict[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How long a failing server is asked again.

    Wait n is drawn between 0 and min(`longest_wait_s`, `first_wait_s` 2^(n - 1)): exponential backoff with full jitter
    (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). No attempt begins after `total_s`.
    """

    attempts: int = 7
    total_s: float = 300.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    connect_s: float = 10.0
    stall_s: float = 30.0


@dataclass(frozen=True)
class Remote:
    """The files under an address prefix `root`; safe to use from any thread, not after a fork."""

    root: str
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)

    def read(self, file: str) -> bytes:
        """All bytes of `file`; DataError once retry policy ends, at once where asking again is useless."""
        return self._persist(file, lambda: b"".join(self._chunks(file, 0)), threading.Event())

    def look(self, file: str) -> tuple[int, str]:
        """Bytes of `file`, and a word that changes with its content (its ETag, else when it changed last).

        Raises:
            DataError: as `read`.
        """
        return self._persist(file, lambda: self._looked(file), threading.Event())

    def files(self, prefix: str) -> list[str]:
        """The names, below the root, of all files whose name begins with the folders of `prefix`.

        Raises:
            DataError: as `read`; http has no listing.
        """
        return self._persist(f"{prefix}*", lambda: self._listed(prefix.rpartition("/")[0]), threading.Event())

    def stream(self, file: str, num_bytes: int) -> Iterator[bytes]:
        """The bytes of `file`, which has `num_bytes`, piece by piece; where the line is cut it goes on from there.

        Raises:
            DataError: as `read`, or the file has another length.
        """
        done, tries = 0, _Tries(self, file, threading.Event())
        from_start = False
        while done < num_bytes:
            try:
                skip = done if from_start else 0
                for chunk in self._chunks(file, done - skip, num_bytes):
                    new = chunk[min(skip, len(chunk)) :]
                    skip -= len(chunk) - len(new)
                    done += len(new)
                    yield new
                if done < num_bytes:
                    raise too_short(done, num_bytes)
            except LineError as fault:
                if fault.from_start and done and not from_start:
                    from_start = True  # the server gives no ranges: what came already is read once more
                else:
                    tries.again(fault)

    def download(
        self, file: str, sink: BinaryIO, num_bytes: int, digest: str, cancelled: threading.Event | None = None
    ) -> None:
        """Write `file` of `num_bytes` with the SHA-256 `digest` to the start of `sink`.

        A cut download goes on where it ended, or from the start where the server gives no ranges.

        Raises:
            DataError: retry policy ended (says what happened each time), or what is there is not that file.
            OSError: `sink` cannot be written.
            CancelledError: `cancelled` was set meanwhile.
        """
        cancelled = cancelled or threading.Event()
        progress = _Progress(sink, num_bytes, digest)
        self._persist(file, lambda: self._attempt(file, progress, cancelled), cancelled)

    def _attempt(self, file: str, progress: "_Progress", cancelled: threading.Event) -> None:
        try:
            self._receive(file, progress, cancelled)
        except LineError as fault:
            if progress.done and fault.from_start:
                progress.restart()
                self._receive(file, progress, cancelled)
            else:
                raise

    def _receive(self, file: str, progress: "_Progress", cancelled: threading.Event) -> None:
        for chunk in self._chunks(file, progress.done, progress.num_bytes):
            progress.add(chunk)
            if cancelled.is_set():
                raise CancelledError
        progress.check()

    def _chunks(self, file: str, start: int, num_bytes: int | None = None) -> Iterator[bytes]:
        """The bytes of `file` from `start`; LineError if they do not come, or the file is not of `num_bytes`."""
        store = self._store
        try:
            answer = store.get(file, options={"range": {"offset": start}} if start else {})
            if num_bytes is not None and answer.meta["size"] != num_bytes:
                raise altered(f"it has {answer.meta['size']:,} bytes there, not {num_bytes:,}")
            yield from answer.stream(CHUNK_BYTES)
        except Exception as error:  # obstore raises its own and Python's errors
            raise fault_of(error, self.retry_policy.stall_s) from None

    def _looked(self, file: str) -> tuple[int, str]:
        try:
            found = self._store.head(file)
        except Exception as error:  # as in `_chunks`
            raise fault_of(error, self.retry_policy.stall_s) from None
        return found["size"], found["e_tag"] or str(found["last_modified"])

    def _listed(self, folder: str) -> list[str]:
        try:
            return [found["path"] for page in self._store.list(folder or None) for found in page]
        except Exception as error:  # as in `_chunks`
            raise fault_of(error, self.retry_policy.stall_s) from None

    def _persist(self, file: str, attempt: Callable[[], T], cancelled: threading.Event) -> T:
        """The first result of `attempt`, made again after faults that may pass."""
        tries = _Tries(self, file, cancelled)
        while True:
            try:
                return attempt()
            except LineError as fault:
                tries.again(fault)

    def text(self, file: str, faults: list[LineError], spent_s: float) -> str:
        """What became of `file`, for people."""
        last = faults[-1]
        told = last.detail
        if len(faults) > 1:
            counts = Counter(fault.kind for fault in faults)
            each = ", ".join(f"{count} x {kind}" for kind, count in counts.items())
            told = f"{len(faults)} attempts in {spent_s:.1f} s ({each}), at last: {told}"
        return f"{self.root}/{file} {last.verb}: {told}; {last.advice(self.root)}"

    @property
    def _store(self) -> "ObjectStore":
        # obstore's threads do not survive a fork, and the child would wait for them for ever.
        if _process.setdefault("id", os.getpid()) != os.getpid():
            raise DataError(
                f"{self.root} cannot be read in a process forked from one that has read an address: start it by spawn"
            )
        return self._client

    @cached_property
    def _client(self) -> "ObjectStore":
        from paribus.shards.storage.stores import open_store

        return open_store(self.root, self.retry_policy.connect_s, self.retry_policy.stall_s)


class _Tries:
    """The faults that one request met, and the waits between."""

    def __init__(self, remote: Remote, file: str, cancelled: threading.Event) -> None:
        self._remote, self._file, self._cancelled = remote, file, cancelled
        self._faults: list[LineError] = []
        self._started = time.monotonic()

    def again(self, fault: LineError) -> None:
        """Wait before the next attempt.

        Raises:
            DataError: retry policy has ended, or asking again is useless.
            CancelledError: cancelled while waiting.
        """
        self._faults.append(fault)
        retry_policy, faults = self._remote.retry_policy, self._faults
        wait_s = _wait_s(retry_policy, len(faults))
        same = sum(other.kind == fault.kind for other in faults)
        spent_s = time.monotonic() - self._started
        if same >= fault.attempts or len(faults) >= retry_policy.attempts or spent_s + wait_s > retry_policy.total_s:
            raise DataError(self._remote.text(self._file, faults, spent_s)) from None
        if self._cancelled.wait(wait_s):
            raise CancelledError


class _Progress:
    """What has come of one file, written and hashed; goes on from one attempt to the next."""

    def __init__(self, sink: BinaryIO, num_bytes: int, digest: str) -> None:
        self.sink, self.num_bytes, self.digest = sink, num_bytes, digest
        self.restart()

    def restart(self) -> None:
        self.done = 0
        self.hasher = sha256()
        self.sink.seek(0)

    def add(self, chunk: bytes) -> None:
        self.sink.write(chunk)
        self.hasher.update(chunk)
        self.done += len(chunk)

    def check(self) -> None:
        """LineError, and all from the start, unless what came is the file."""
        if self.done < self.num_bytes:
            raise too_short(self.done, self.num_bytes)
        if (found := self.hasher.hexdigest()) != self.digest:
            self.restart()
            raise altered(f"its SHA-256 there is {found[:12]}..., the manifest's is {self.digest[:12]}...")


def _wait_s(retry_policy: RetryPolicy, number: int) -> float:
    return _JITTER.uniform(0, min(retry_policy.longest_wait_s, retry_policy.first_wait_s * 2 ** (number - 1)))
