"""Read a whole shard set again: is it what its manifest says, and what does it look like?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from paribus.data.decode import as_image, decode
from paribus.data.errors import DataError, UndecodableError
from paribus.data.index import Index, read_index
from paribus.data.lanes import fault
from paribus.data.manifest import Manifest, read_manifest
from paribus.data.places import Place
from paribus.data.reading import ShardReader
from paribus.data.tars import image_of, read_samples

_TILE, _COLUMNS = 64, 10


@dataclass
class Report:
    """What `verify` found; the set is sound where `faults` is empty."""

    name: str
    digest: str
    shards: int = 0
    samples: int = 0
    bytes: int = 0
    faults: list[str] = field(default_factory=list)


def verify(place: Place, quiet: bool = True) -> Report:
    """Check every file's length and SHA-256, every sample's key and class, and that every image decodes.

    `undecodable` images that the manifest admits (made with --keep-undecodable) are named as faults too.

    Raises:
        DataError: no readable manifest; all else is a fault in the report.
    """
    manifest = read_manifest(place)
    report = Report(manifest.name, manifest.digest)
    for split in manifest.splits:
        try:
            index = read_index(place, manifest, split)
        except DataError as error:
            report.faults.append(str(error))
            continue
        for number in _ticking(range(len(manifest.split(split).shards)), f"{split}: shards checked", quiet):
            report.faults += _shard_faults(place, manifest, split, index, number)
        report.shards += len(manifest.split(split).shards)
        report.samples += len(index)
        report.bytes += sum(shard.bytes for shard in manifest.split(split).shards)
    return report


def _shard_faults(place: Place, manifest: Manifest, split: str, index: Index, number: int) -> list[str]:
    shard = manifest.split(split).shards[number]
    start = int(index.starts[number])
    try:
        samples = read_samples(place, shard, manifest.name)
    except DataError as error:
        return [str(error)]
    if [sample["__key__"] for sample in samples] != index.keys[start : start + shard.samples]:
        return [fault(shard, manifest.name, "holds other samples than the index says")]
    faults = []
    for row, sample in enumerate(samples, start):
        where = f"sample {index.keys[row]!r} in shard {shard.file}"
        if sample.get("cls") != str(index.labels[row]).encode():
            faults.append(f"{where} says class {sample.get('cls')!r}, the index {index.labels[row]}")
        if crc32(image_of(sample)) != index.rows["crc"][row]:
            faults.append(f"{where} has another checksum than the index says")
        try:
            decode(image_of(sample), manifest.channels)
        except UndecodableError as error:
            faults.append(f"{where} does not decode: {error}")
    return faults


@dataclass
class Summary:
    """What a shard set holds, in words and numbers; `histogram` is samples per split and class."""

    name: str
    digest: str
    channels: int
    smallest: tuple[int, int]
    largest: tuple[int, int]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    made: dict[str, str | int | bool]
    shards: dict[str, int]
    histogram: dict[str, dict[str, int]]
    first_keys: dict[str, list[str]]


def inspect(place: Place) -> Summary:
    """The summary of a set, from its manifest and indexes; no shard is read."""
    manifest = read_manifest(place)
    indexes = {split: read_index(place, manifest, split) for split in manifest.splits}
    return Summary(
        name=manifest.name,
        digest=manifest.digest,
        channels=manifest.channels,
        smallest=manifest.smallest,
        largest=manifest.largest,
        mean=manifest.mean,
        sd=manifest.sd,
        made=dict(manifest.made),
        shards={name: len(split.shards) for name, split in manifest.splits.items()},
        histogram={name: _histogram(manifest, index) for name, index in indexes.items()},
        first_keys={name: list(index.keys[:5]) for name, index in indexes.items()},
    )


def contact_sheet(place: Place, path: Path, split: str = "train") -> None:
    """Write a picture of the first images of each class of the first shard of `split`: a row a class, ten a row."""
    manifest = read_manifest(place)
    index = read_index(place, manifest, split)
    reader = ShardReader(place, manifest, split, index)
    labels = index.labels[index.shard_of == 0]
    sheet = Image.new("RGB", (_COLUMNS * _TILE, len(manifest.classes) * _TILE), "white")
    for label in range(len(manifest.classes)):
        for column, row in enumerate(np.flatnonzero(labels == label)[:_COLUMNS]):
            tile = as_image(decode(reader.read(int(row)), manifest.channels)).convert("RGB").resize((_TILE, _TILE))
            sheet.paste(tile, (column * _TILE, label * _TILE))
    sheet.save(path)


def _histogram(manifest: Manifest, index: Index) -> dict[str, int]:
    counts = np.bincount(index.labels, minlength=len(manifest.classes))
    return dict(zip(manifest.classes, counts.tolist(), strict=True))


def _ticking(numbers: range, text: str, quiet: bool) -> Iterator[int]:
    from rich.console import Console
    from rich.progress import track

    yield from track(numbers, text, console=Console(stderr=True), disable=quiet)
