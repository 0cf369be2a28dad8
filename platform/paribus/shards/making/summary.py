"""What a shard set holds, from its manifest and indexes; no shard is read. Imports no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.shards.index import Index, read_index
from paribus.shards.manifest import Manifest, read_manifest
from paribus.shards.storage.locations import ShardLocation

UNREADABLE_NAMED, FIRST_KEYS = 20, 5
_SHARES = {"smallest": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "largest": 1.0}
Spread = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class SplitSummary:
    """A split: its counts, and how its images spread from the smallest to the largest.

    `height` and `width` are in pixels as displayed, of the images that decode; `file_bytes` of all. `unreadable`
    counts those that do not decode, `unreadable_keys` names the first 20.
    """

    samples: int
    shards: int
    shard_bytes: int
    height: Spread
    width: Spread
    file_bytes: Spread
    unreadable: int
    unreadable_keys: list[str]
    first_keys: list[str]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A shard set; `mean` and `sd` are per channel, of full white; `histogram` is samples by split and class."""

    name: str
    digest: str
    channels: int
    classes: int
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    made: Mapping[str, str | int | bool]
    splits: dict[str, SplitSummary]
    histogram: dict[str, dict[str, int]]


def inspect(place: ShardLocation) -> Summary:
    """The summary of the set at `place`.

    Raises:
        DataError: a manifest or index that is missing or altered.
    """
    manifest = read_manifest(place)
    indexes = {split: read_index(place, manifest, split) for split in manifest.splits}
    return Summary(
        name=manifest.name,
        digest=manifest.digest,
        channels=manifest.channels,
        classes=len(manifest.classes),
        mean=manifest.mean,
        sd=manifest.sd,
        made=dict(manifest.made),
        splits={split: _split(manifest, split, index) for split, index in indexes.items()},
        histogram={split: _histogram(manifest, index) for split, index in indexes.items()},
    )


def _split(manifest: Manifest, name: str, index: Index) -> SplitSummary:
    shards = manifest.split(name).shards
    readable = index.rows["height"] > 0
    unreadable = np.flatnonzero(~readable)
    return SplitSummary(
        samples=len(index),
        shards=len(shards),
        shard_bytes=sum(shard.bytes for shard in shards),
        height=_spread(index.rows["height"][readable]),
        width=_spread(index.rows["width"][readable]),
        file_bytes=_spread(index.rows["length"]),
        unreadable=len(unreadable),
        unreadable_keys=[index.keys[row] for row in unreadable[:UNREADABLE_NAMED].tolist()],
        first_keys=list(index.keys[:FIRST_KEYS]),
    )


def _spread(values: ArrayLike) -> Spread:
    numbers: NDArray[np.int64] = np.asarray(values, np.int64)
    if not len(numbers):
        return {}
    # One of the values, not one between two: a height that no image has would mislead.
    found = np.quantile(numbers, list(_SHARES.values()), method="inverted_cdf")
    return dict(zip(_SHARES, found.astype(int).tolist(), strict=True))


def _histogram(manifest: Manifest, index: Index) -> dict[str, int]:
    counts = np.bincount(index.labels, minlength=len(manifest.classes))
    return dict(zip(manifest.classes, counts.tolist(), strict=True))
