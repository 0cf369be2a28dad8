"""The shards that are open now, and those that are on their way because an epoch needs them next."""

import os
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from threading import Lock
from typing import BinaryIO

from paribus.errors import DataError
from paribus.shards.manifest import Shard
from paribus.shards.storage.locations import ShardLocation
from paribus.shards.storage.prefetch import Prefetch

# Shards held open: more than an order of the default width walks through at a time, fewer than a process may open.
_MAX_OPEN = 256


class OpenShard:
    """An open shard, read at places; it closes when nobody holds it any more, so none is closed under a reader."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        # Not __del__: in a cycle of garbage the file would be found first, and warn that nobody closed it.
        weakref.finalize(self, file.close)
        self.length = os.fstat(file.fileno()).st_size

    def read(self, length: int, offset: int) -> bytes:
        """At most `length` bytes from `offset` on: fewer where the file ends."""
        return os.pread(self.file.fileno(), length, offset)


class OpenShards:
    """Opens the `shards` of the set `name` on demand, from any thread, and keeps those open that were used last.

    `num_opened` counts those that it came to keep open.
    """

    def __init__(self, place: ShardLocation, shards: Sequence[Shard], name: str) -> None:
        self.num_opened = 0
        self._place, self._shards, self._name = place, shards, name
        self._open: OrderedDict[int, OpenShard] = OrderedDict()
        self._coming: list[_Coming] = []
        self._lock = Lock()

    def __getitem__(self, number: int) -> OpenShard:
        """The shard `number`, open.

        Raises:
            DataError: it is missing, cannot be fetched, or has another length than the manifest says.
        """
        with self._lock:
            if (lane := self._open.get(number)) is not None:
                self._open.move_to_end(number)
                return lane
            coming = next((coming for coming in self._coming if number in coming), None)
        if coming is not None:
            # Outside the lock, as everything that may wait for a download: others read on from what is open.
            try:
                coming.until(number, self._keep)
            except CancelledError:
                with self._lock:
                    # Maybe it was another epoch's order that ended, while this one goes on.
                    if not self._coming:
                        raise
            return self[number]
        shard = self._shards[number]
        return self._keep(number, self._place.open(shard.file, shard.bytes, shard.sha256))

    @contextmanager
    def ahead(self, numbers: Sequence[int]) -> Iterator[None]:
        """Within the block, the shards `numbers` of an address are fetched in this order, before they are needed."""
        if self._place.folder is not None:
            yield
            return
        with self._lock:
            coming = _Coming(self._place, self._shards, [n for n in numbers if n not in self._open])
            self._coming.append(coming)
        try:
            yield
        finally:
            with self._lock:
                self._coming.remove(coming)
            coming.close()

    def renew(self, number: int, lane: OpenShard) -> bool:
        """Drop the copy behind `lane`, whose bytes have rotted, so that it is fetched again; False if it is no copy."""
        if not self._place.forget(lane.file, self._shards[number].sha256):
            return False
        with self._lock:
            if self._open.get(number) is lane:
                del self._open[number]
        return True

    def _keep(self, number: int, file: BinaryIO) -> OpenShard:
        lane = OpenShard(file)
        check_length(self._shards[number], lane.length, self._name)
        with self._lock:
            # Two threads may have opened it at once: the second file is closed with its last reader, here.
            kept = self._open.setdefault(number, lane)
            self.num_opened += kept is lane
            while len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
        return kept


class _Coming:
    """Shards being fetched in a given order."""

    def __init__(self, place: ShardLocation, shards: Sequence[Shard], numbers: Sequence[int]) -> None:
        self._left, self._turn = dict.fromkeys(numbers), Lock()
        self._files = Prefetch(place, ((shards[n].file, shards[n].bytes, shards[n].sha256) for n in numbers))

    def __contains__(self, number: int) -> bool:
        return number in self._left

    def until(self, number: int, keep: Callable[[int, BinaryIO], object]) -> None:
        """`keep` all files up to that of `number`, waiting for it; none if another thread did so meanwhile."""
        with self._turn:
            while number in self._left:
                file = next(self._files, None)
                if file is None:
                    raise CancelledError
                arrived = next(iter(self._left))
                del self._left[arrived]
                keep(arrived, file)

    def close(self) -> None:
        """Cancel what is under way."""
        self._files.close()


def check_length(shard: Shard, length: int, name: str) -> None:
    """DataError if a shard's length is not the manifest's."""
    if length != shard.bytes:
        what = "is empty" if length == 0 else "is truncated" if length < shard.bytes else "has grown"
        raise DataError(fault(shard, name, f"{what}: {length:,} bytes where the manifest says {shard.bytes:,}"))


def fault(shard: Shard, name: str, what: str) -> str:
    """The message about a faulty shard of the set `name`, and what to do."""
    return f"shard {shard.file} of {name!r} {what}: restore it or make the shards again"
