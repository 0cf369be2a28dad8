"""Samples out of shards by place and length, each checked against the crc of the index."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.index import Index
from paribus.shards.input_times import InputTimes
from paribus.shards.manifest import Manifest
from paribus.shards.open_shards import OpenShard, OpenShards, fault
from paribus.shards.shard_places import shards_place
from paribus.shards.storage.locations import ShardLocation


class ShardReader:
    """Reads the samples of one split, from any thread."""

    def __init__(
        self, place: ShardLocation, manifest: Manifest, split: str, index: Index, input_times: InputTimes | None = None
    ) -> None:
        self.place, self.index = place, index
        self.input_times = input_times or InputTimes()
        self.shards = manifest.split(split).shards
        self.open_shards = OpenShards(shards_place(place, manifest, split), self.shards, manifest.name)
        self._set = manifest.name
        described = index.rows
        self._offsets, self._lengths, self._crcs = described["offset"], described["length"], described["crc"]

    def ahead(self, rows: NDArray[np.int32]) -> AbstractContextManager[None]:
        """Within the block, shards of an address are fetched in the order in which `rows` need them."""
        return self.open_shards.ahead(_first_needed(self.index.shard_of[rows], len(self.shards)))

    def read(self, row: int) -> bytes:
        """The bytes of the image file of sample `row` of the index.

        A copy in the node cache that has rotted is fetched once more.

        Raises:
            DataError: its shard is missing, truncated or unreadable, or its bytes were altered.
        """
        number = int(self.index.shard_of[row])
        lane, data = self._bytes(number, row)
        if self._is_sound(row, data):
            return data
        if self.open_shards.renew(number, lane):
            lane, data = self._bytes(number, row)
            if self._is_sound(row, data):
                return data
        if len(data) != self._lengths[row]:
            raise self._fault(number, f"is truncated: it ends within {self._name(row)}")
        raise self._fault(number, f"was altered: {self._name(row)} fails its checksum")

    def _bytes(self, number: int, row: int) -> tuple[OpenShard, bytes]:
        with self.input_times.timing("storage", within="decode"):
            lane = self.open_shards[number]
            try:
                return lane, lane.read(int(self._lengths[row]), int(self._offsets[row]))
            except OSError as error:
                raise self._fault(number, f"cannot be read at {self._name(row)} ({error.strerror})") from error

    def _is_sound(self, row: int, data: bytes) -> bool:
        return bool(len(data) == self._lengths[row] and crc32(data) == self._crcs[row])

    def _name(self, row: int) -> str:
        return f"sample {self.index.keys[row]!r}"

    def _fault(self, number: int, what: str) -> DataError:
        return DataError(fault(self.shards[number], self._set, what))


def _first_needed(shards: NDArray[np.int32], num: int) -> Sequence[int]:
    """Which of `num` shards occur in `shards`, in the order in which they do so first."""
    first = np.full(num, len(shards))
    # Of several places written to one item, the last stays.
    first[shards[::-1]] = np.arange(len(shards))[::-1]
    order: list[int] = np.argsort(first, kind="stable")[: np.count_nonzero(first < len(shards))].tolist()
    return order
