"""What is known of every sample of a split: where its bytes lie, its class, its size. Two files beside the shards.

A million samples are 28 MB of numbers (32 where a shard is larger than 4 GiB) and as much of keys, mapped and not read:
opening ImageNet takes a moment and a few MiB. Training reads a sample by its offset and never parses a tar. Imports no
torch.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import overload

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.counters import Ids
from paribus.shards.manifest import Manifest
from paribus.shards.storage.locations import ShardLocation


def _row(offset: str) -> np.dtype[np.void]:
    """A row a sample, in the order of the shards; `offset` is the form of the place within a shard.

    `id`: first 8 bytes of the key's SHA-256. `offset`, `length`, `crc`: of the image file's bytes within its shard, the
    last by zlib's crc32. `height`, `width`: as displayed, 0 where it does not decode.
    """
    parts = {"id": "<u8", "offset": offset, "length": "<u4", "crc": "<u4", "label": "<i4"}
    return np.dtype([*parts.items(), ("height", "<u2"), ("width", "<u2")])


# 28 bytes where every sample lies below 4 GiB in its shard, which is so wherever we made it; else 32.
ROW, WIDE_ROW = _row("<u4"), _row("<u8")
Rows = NDArray[np.void]
_NEWLINE = 10


class Keys(Sequence[str]):
    """The keys of a split, read one by one out of the bytes of its list (a line a key)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> list[str]: ...
    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self._at(number) for number in range(*row.indices(len(self)))]
        return self._at(row if 0 <= row < len(self._ends) else range(len(self))[row])

    def __iter__(self) -> Iterator[str]:
        return iter(self._data.decode().split("\n")[:-1])

    def _at(self, row: int) -> str:
        # `item`: NumPy's own numbers cost three times as much, and a batch asks for its keys one by one.
        start = self._ends.item(row - 1) + 1 if row else 0
        return self._data[start : self._ends.item(row)].decode()


@dataclass(frozen=True, kw_only=True)
class Index:
    """Every sample of a split, in the order in which the shards hold them; `shard_of` (N,), `starts` (shards,)."""

    keys: Sequence[str]
    rows: Rows
    shard_of: NDArray[np.int32]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> Ids:
        """(N,) uint64: the numbers that stand for the keys wherever chance is drawn."""
        return self.rows["id"]

    @property
    def labels(self) -> NDArray[np.int32]:
        """(N,) class numbers."""
        return self.rows["label"]

    def taken(self, rows: NDArray[np.int32]) -> "Index":
        """The samples at `rows` (rising) alone, in the same shards."""
        shard_of = self.shard_of[rows]
        starts = np.searchsorted(shard_of, np.arange(len(self.starts)))
        return Index(
            keys=[self.keys[row] for row in rows.tolist()], rows=self.rows[rows], shard_of=shard_of, starts=starts
        )

    @classmethod
    def of(cls, keys: Sequence[str], rows: Rows, samples: Sequence[int]) -> "Index":
        """The index of shards that hold `samples` samples each."""
        shard_of = np.repeat(np.arange(len(samples), dtype=np.int32), samples)
        return cls(keys=keys, rows=rows, shard_of=shard_of, starts=np.cumsum([0, *samples])[:-1])


def index_files(split: str) -> tuple[str, str]:
    """The names of a split's two files: numbers, keys."""
    return f"{split}.index.npy", f"{split}.keys.txt"


def read_index(place: ShardLocation, manifest: Manifest, split_name: str) -> Index:
    """The index of a split, checked against the manifest.

    Raises:
        DataError: a file that is missing, altered, or at odds with the manifest.
    """
    split = manifest.split(split_name)
    keys = Keys(_checked(place, split.keys, split.keys_sha256))
    rows = _rows(_checked(place, split.index, split.index_sha256), place.name(split.index))
    samples = [shard.samples for shard in split.shards]
    if not len(keys) == len(rows) == sum(samples) == split.samples:
        raise DataError(
            f"{place.name(split.index)} describes {len(rows)} samples, {split.keys} names {len(keys)}, the shards of "
            f"{split_name!r} hold {sum(samples)} and the manifest says {split.samples}: make the shards again"
        )
    labels = rows["label"]
    outside = np.flatnonzero((labels < 0) | (labels >= len(manifest.classes)))
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"{place.name(split.index)}: sample {keys[row]!r} has class {labels[row]}, outside the "
            f"{len(manifest.classes)} classes of {manifest.name}: make the shards again"
        )
    return Index.of(keys, rows, samples)


def index_bytes(rows: Rows) -> bytes:
    """The file of numbers; its rows are wide where an offset needs it, so that all other sets keep their digests."""
    buffer = BytesIO()
    fits = not len(rows) or int(rows["offset"].max()) <= np.iinfo(np.uint32).max
    np.lib.format.write_array(buffer, np.ascontiguousarray(rows, ROW if fits else WIDE_ROW), version=(1, 0))
    return buffer.getvalue()


def keys_bytes(keys: Iterable[str]) -> bytes:
    """The file of keys; that no two are the same, and none has a newline, is the writer's care."""
    data = bytearray()
    for key in keys:
        data += key.encode() + b"\n"
    return bytes(data)


def _rows(data: bytes, name: str) -> Rows:
    """The rows in a file of numbers, without a copy."""
    stream = BytesIO(data)
    for row in (ROW, WIDE_ROW):
        num = max(0, len(data) - len(_header(row, 0))) // row.itemsize
        if data.startswith(_header(row, num)):
            # NumPy's own reader parses Python, at which Python 3.11 fails now and then where two threads do it at a
            # time.
            return np.frombuffer(data, row, num, offset=len(_header(row, num)))
    try:
        np.lib.format.read_magic(stream)
        dtype = np.lib.format.read_array_header_1_0(stream)[2]
        if dtype not in (ROW, WIDE_ROW):
            raise ValueError(f"its rows are {dtype}")
        return np.frombuffer(data, dtype, offset=stream.tell())
    except ValueError as error:
        raise DataError(f"{name} is no index of Paribus ({error}): make the shards again") from None


def _header(row: np.dtype[np.void], num: int) -> bytes:
    """What stands before `num` rows of the form `row` in a file of numbers."""
    buffer = BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(row), "fortran_order": False, "shape": (num,)}
    np.lib.format.write_array_header_1_0(buffer, described)
    return buffer.getvalue()


def _checked(place: ShardLocation, file: str, digest: str) -> bytes:
    data = place.read(file)
    if sha256(data).hexdigest() != digest:
        raise DataError(
            f"{place.name(file)} was altered: its SHA-256 is not the manifest's; restore it or make the shards again"
        )
    return data
