"""One shard held against the manifest and the index: every fault in words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest
from typing import Any
from zlib import crc32

from paribus.errors import DataError, UndecodableError
from paribus.images.decode import decode
from paribus.shards.index import Rows
from paribus.shards.making.tars import image_of, tar_samples
from paribus.shards.manifest import Manifest, Shard
from paribus.shards.open_shards import check_length, fault
from paribus.shards.shard_places import in_place
from paribus.shards.storage.locations import ShardLocation


@dataclass(frozen=True)
class Described:
    """The samples `start` to `stop` - 1 of an index: those of one shard."""

    keys: Sequence[str]
    rows: Rows
    start: int
    stop: int

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Key and row of each sample; keys are read one by one, because a set may hold millions."""
        return ((self.keys[row], self.rows[row]) for row in range(self.start, self.stop))


@dataclass(frozen=True)
class Expected:
    """What the manifest says of a shard, and the index of its samples; None where the index is faulty itself."""

    manifest: Manifest
    shard: Shard
    described: Described | None
    place: ShardLocation

    def fault(self, what: str) -> str:
        """A message about the shard."""
        return fault(self.shard, self.manifest.name, what)


def shard_faults(expected: Expected) -> list[str]:
    """What is wrong with a shard; nothing where it is sound."""
    shard = expected.shard
    try:
        # Not through the node cache: what lies at the place now is what is asked about.
        data = expected.place.read(shard.file)
    except (DataError, OSError) as error:
        return [str(error)]
    try:
        check_length(shard, len(data), expected.manifest.name)
    except DataError as error:
        return [str(error) + _lost(expected, len(data))]
    if sha256(data).hexdigest() != shard.sha256:
        return list(_alterations(expected, data))
    if in_place(expected.manifest):
        # Whatever else its tar holds is its owner's.
        return list(_indexed_faults(expected, data))
    try:
        samples = tar_samples(data, shard, expected.manifest.name)
        return list(_sample_faults(expected, data, samples))
    except DataError as error:
        return [str(error)]


def _lost(expected: Expected, length: int) -> str:
    """Which samples a shard that ends at `length` has no more."""
    lost = [key for key, row in expected.described or () if int(row["offset"]) + int(row["length"]) > length]
    return f" ({len(lost)} of its {expected.shard.samples} samples are lost, the first {lost[0]!r})" if lost else ""


def _alterations(expected: Expected, data: bytes) -> Iterator[str]:
    altered = [key for key, row in expected.described or () if crc32(_part(data, row)) != row["crc"]]
    for key in altered:
        yield expected.fault(f"was altered: sample {key!r} fails its checksum")
    if not altered:
        where = ", though no image was" if expected.described else ""
        yield expected.fault(f"was altered: its SHA-256 is not the manifest's{where}")


def _sample_faults(expected: Expected, data: bytes, samples: list[dict[str, Any]]) -> Iterator[str]:
    if expected.described is None:
        for sample in samples:
            yield from _image_faults(expected, sample, None)
        return
    for sample, entry in zip_longest(samples, expected.described):
        found, wanted = None if sample is None else sample["__key__"], None if entry is None else entry[0]
        if found != wanted:
            yield expected.fault(f"holds other samples than the index says: {found!r} where {wanted!r} should be")
            return
        row = entry[1]
        if sample.get("cls") != str(row["label"]).encode():
            yield f"{_name(expected, sample)} says class {sample.get('cls')!r}, the index {row['label']}"
        if _part(data, row) != image_of(sample) or crc32(image_of(sample)) != row["crc"]:
            yield f"{_name(expected, sample)} is not where, or not what, the index says: make the shards again"
        yield from _image_faults(expected, sample, (int(row["height"]), int(row["width"])))


def _indexed_faults(expected: Expected, data: bytes) -> Iterator[str]:
    for key, row in expected.described or ():
        part, name = _part(data, row), f"sample {key!r} in shard {expected.shard.file}"
        if crc32(part) != row["crc"]:
            yield f"{name} is not where, or not what, the index says: index the shards again with --restart"
            continue
        yield from _decode_faults(expected, part, name, (int(row["height"]), int(row["width"])))


def _image_faults(expected: Expected, sample: dict[str, Any], size: tuple[int, int] | None) -> Iterator[str]:
    label, num_classes = sample.get("cls", b""), len(expected.manifest.classes)
    if not (label.isdigit() and int(label) < num_classes):
        yield f"{_name(expected, sample)} has class {label!r}, and there are {num_classes}, numbered from 0"
    yield from _decode_faults(expected, image_of(sample), _name(expected, sample), size)


def _decode_faults(expected: Expected, data: bytes, name: str, size: tuple[int, int] | None) -> Iterator[str]:
    try:
        height, width = decode(data, expected.manifest.channels).shape[:2]
    except UndecodableError as error:
        yield f"{name} does not decode: {error}"
        return
    if size is not None and size != (height, width):
        yield (
            f"{name} measures {height}x{width} pixels, and the index says {size[0]}x{size[1]}: make the shards again"
        )


def _part(data: bytes, row: Any) -> bytes:
    return data[int(row["offset"]) : int(row["offset"]) + int(row["length"])]


def _name(expected: Expected, sample: dict[str, Any]) -> str:
    return f"sample {sample['__key__']!r} in shard {expected.shard.file}"
