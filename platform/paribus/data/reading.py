"""Samples out of shards by place and length, each checked against the crc of the index."""

import os
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from zlib import crc32

from paribus.data.errors import DataError
from paribus.data.index import Index
from paribus.data.manifest import Manifest, Shard
from paribus.data.places import Place
from paribus.data.stages import Stages

# Shards held open: more than an order of the default width walks through at a time, fewer than a process may open.
_MAX_OPEN = 256


class ShardReader:
    """Reads the samples of one split, from any thread."""

    def __init__(self, place: Place, manifest: Manifest, split: str, index: Index) -> None:
        self.place, self.index = place, index
        self.stages = Stages()
        self.shards = manifest.split(split).shards
        self._set = manifest.name
        self._open: OrderedDict[int, _File] = OrderedDict()
        self._lock = Lock()
        described = index.rows
        self._offsets, self._lengths, self._crcs = described["offset"], described["length"], described["crc"]

    def read(self, row: int) -> bytes:
        """The bytes of the image file of sample `row` of the index.

        Raises:
            DataError: its shard is missing or truncated, or its bytes were altered.
        """
        number = int(self.index.shard_of[row])
        length = int(self._lengths[row])
        with self.stages.timing("storage", within="decode"):
            data = self._file(number).read(length, int(self._offsets[row]))
        if len(data) != length:
            raise DataError(fault(self.shards[number], self._set, f"is truncated: it ends within {self._name(row)}"))
        if crc32(data) != self._crcs[row]:
            raise DataError(fault(self.shards[number], self._set, f"was altered: {self._name(row)} fails its checksum"))
        return data

    def _name(self, row: int) -> str:
        return f"sample {self.index.keys[row]!r}"

    def _file(self, number: int) -> "_File":
        with self._lock:
            file = self._open.get(number)
            if file is not None:
                self._open.move_to_end(number)
                return file
        shard = self.shards[number]
        # Outside the lock: a download must not hold up those who read other shards.
        path = self.place.fetch(shard.file, shard.bytes, shard.sha256)
        try:
            file = _File(path)
        except OSError as error:
            raise DataError(fault(shard, self._set, f"cannot be opened ({error})")) from None
        check_length(shard, file.length, self._set)
        with self._lock:
            file = self._open.setdefault(number, file)
            while len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
        return file


class _File:
    """A file that is read at places; it closes when nobody holds it any more, so none is closed under a reader."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.length = os.fstat(self._descriptor).st_size

    def read(self, length: int, offset: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def __del__(self) -> None:
        # Missing where opening failed.
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)


def check_length(shard: Shard, length: int, name: str) -> None:
    """DataError if a shard's length is not the manifest's."""
    if length != shard.bytes:
        what = "is empty" if length == 0 else "is truncated" if length < shard.bytes else "has grown"
        raise DataError(fault(shard, name, f"{what}: {length:,} bytes where the manifest says {shard.bytes:,}"))


def fault(shard: Shard, name: str, what: str) -> str:
    """The message about a faulty shard of the set `name`, and what to do."""
    return f"shard {shard.file} of {name!r} {what}: restore it or make the shards again"
