"""What a shard set looks like: classes, sizes, a contact sheet."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from paribus.data.decode import as_image, decode
from paribus.data.index import Index, read_index
from paribus.data.manifest import Manifest, read_manifest
from paribus.data.places import Place
from paribus.data.reading import ShardReader

_TILE, _COLUMNS = 64, 10


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
