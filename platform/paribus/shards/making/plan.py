"""Which sample goes into which shard: decided from the listings and the options before any image is read.

So shards are independent of each other: any number of processes can make them, in any order, and what a killed process
left is gone on with.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.counters import Ids, keyed_hash, sample_ids
from paribus.shards.making.recode import Recoding
from paribus.shards.manifest import Manifest
from paribus.shards.sources.source import Listing, Source

TRAIN = "train"
SHARD_SIZE, SHARD_MIB = 10_000, 64
# Offsets within a shard are 32 bits; the limit leaves room for tar's own bytes and a last, large file.
MAX_SHARD_MIB = 2048
# WebDataset cuts others short or leaves them out, and a list of lines cannot hold them.
_SPLIT = re.compile(r"\w[\w-]*")
_KEY = re.compile(r"(?!__[^/]*__/)(?!/)(?:[^\t\n\r]*/)?[^./\t\n\r]+")
# Two tar members of a sample have a header of 512 bytes each, and each is padded to as much.
_TAR_BYTES = 2048


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a source is stored: a shard ends at `shard_size` samples or `shard_mib` MiB, whichever comes first."""

    shard_size: int = SHARD_SIZE
    shard_mib: int = SHARD_MIB
    recoding: Recoding | None = None

    def __post_init__(self) -> None:
        if self.shard_size < 1 or not 1 <= self.shard_mib <= MAX_SHARD_MIB:
            raise DataError(
                f"a shard of {self.shard_size} samples and {self.shard_mib} MiB: both must be at least 1, "
                f"and a shard {MAX_SHARD_MIB} MiB at most"
            )

    @property
    def made(self) -> dict[str, str | int | bool]:
        """The options as the manifest names them."""
        return {"shard_size": self.shard_size, "shard_mib": self.shard_mib} | (
            {} if self.recoding is None else self.recoding.made
        )


@dataclass(frozen=True, kw_only=True)
class Job:
    """One shard to make: the rows of its split's listing, in order, with their keys, ids and labels."""

    file: str
    split: str
    rows: NDArray[np.int64]
    keys: list[str]
    ids: Ids
    labels: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SplitPlan:
    """A split in the order in which it will be stored: `rows` (N,) of the listing, shard s from `cuts[s]` on."""

    name: str
    listing: Listing
    rows: NDArray[np.int64]
    ids: Ids
    cuts: NDArray[np.int64]

    @property
    def files(self) -> list[str]:
        """The names of the shards, in order."""
        return [f"{self.name}-{number:06d}.tar" for number in range(len(self.cuts) - 1)]

    @property
    def keys(self) -> Iterator[str]:
        """The keys in the order in which they will be stored."""
        return (self.listing.keys[row] for row in self.rows.tolist())

    def samples_of(self, files: Set[str]) -> int:
        """How many samples the shards `files` hold."""
        return sum(int(num) for file, num in zip(self.files, np.diff(self.cuts), strict=True) if file in files)

    def jobs(self, done: Set[str]) -> Iterator[Job]:
        """The shards to make, in order, but for those that are done."""
        for file, start, stop in zip(self.files, self.cuts[:-1].tolist(), self.cuts[1:].tolist(), strict=True):
            if file in done:
                continue
            rows = self.rows[start:stop]
            yield Job(
                file=file,
                split=self.name,
                rows=rows,
                keys=[self.listing.keys[row] for row in rows.tolist()],
                ids=self.ids[start:stop],
                labels=self.listing.labels[rows],
            )


@dataclass(frozen=True, kw_only=True)
class ShardPlan:
    """All shards of a set; `digest` names the plan, so that half-made sets are gone on with by the same one alone."""

    name: str
    classes: tuple[str, ...]
    splits: tuple[SplitPlan, ...]
    made: Mapping[str, str | int | bool]
    num_bytes: int
    digest: str

    @property
    def num_samples(self) -> int:
        """Samples of all splits."""
        return sum(len(split.rows) for split in self.splits)


def plan_shards(source: Source, options: Options) -> ShardPlan:
    """The plan of `source` under `options`: a pure function of its listings.

    Raises:
        DataError: no train split, an empty split, a label outside the classes, or a key that is taken or no key.
    """
    if TRAIN not in source.splits:
        raise DataError(f"{source.name} has no split {TRAIN!r}, only {', '.join(source.splits)}: training needs one")
    splits = tuple(_plan_split(source, name, options) for name in source.splits)
    made = {**source.made, **options.made}
    sizes = [_stored_sizes(listing, options) for listing in source.splits.values()]
    return ShardPlan(
        name=source.name,
        classes=source.classes,
        splits=splits,
        made=made,
        num_bytes=sum(int(part.sum()) + _TAR_BYTES * len(part) for part in sizes),
        digest=_digest(source, splits, made),
    )


def _plan_split(source: Source, name: str, options: Options) -> SplitPlan:
    listing = source.splits[name]
    if not _SPLIT.fullmatch(name):
        raise DataError(f"split {name!r} would name files: use letters, digits, _ and - alone")
    if not len(listing):
        raise DataError(f"split {name!r} has no samples: remove it or fill it")
    _check_labels(name, listing, source.classes)
    ids = checked_ids(name, listing.keys)
    rows = np.arange(len(ids)) if source.in_order else np.argsort(keyed_hash(ids, "shards"), kind="stable")
    cuts = _cuts(_stored_sizes(listing, options)[rows], options.shard_size, options.shard_mib << 20)
    return SplitPlan(name=name, listing=listing, rows=rows, ids=ids[rows], cuts=cuts)


def _stored_sizes(listing: Listing, options: Options) -> NDArray[np.int64]:
    if options.recoding is None:
        return listing.sizes
    return np.minimum(listing.sizes, options.recoding.num_bytes)


def _cuts(sizes: NDArray[np.int64], max_samples: int, max_bytes: int) -> NDArray[np.int64]:
    """(shards + 1,) where shards start and the last one ends; a shard holds one sample at least."""
    ends = np.cumsum(sizes)
    cuts = [0]
    while cuts[-1] < len(sizes):
        start = cuts[-1]
        full = int(np.searchsorted(ends, ends[start] - sizes[start] + max_bytes, side="right"))
        cuts.append(max(start + 1, min(full, start + max_samples)))
    return np.array(cuts, np.int64)


def _check_labels(split: str, listing: Listing, classes: tuple[str, ...]) -> None:
    outside = np.flatnonzero((listing.labels < 0) | (listing.labels >= len(classes)))
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"{split}: {listing.keys[row]!r} has class {listing.labels[row]}, and there are {len(classes)} classes, "
            "numbered from 0: mend the labels, or name the classes"
        )


def checked_ids(split: str, keys: Sequence[str]) -> Ids:
    """The numbers that stand for `keys`; DataError for what is no key, or is there twice."""
    for key in keys:
        if not _KEY.fullmatch(key):
            raise DataError(
                f"{split}: {key!r} is no key: it has no tab or newline, no dot in its last part, and begins neither "
                "with a slash nor with a folder called __...__"
            )
    try:
        ids = sample_ids(keys)
    except UnicodeEncodeError:
        raise DataError(f"{split}: there are names that are not UTF-8: rename those files") from None
    order = np.argsort(ids, kind="stable")
    for row in np.flatnonzero(ids[order][1:] == ids[order][:-1]).tolist():
        first, second = keys[int(order[row])], keys[int(order[row + 1])]
        if first == second:
            raise DataError(f"{split}: two samples have the key {first!r}: keys name samples, so give each its own")
    return ids


def _digest(source: Source, splits: tuple[SplitPlan, ...], made: Mapping[str, str | int | bool]) -> str:
    form = Manifest.model_fields["format"].default
    digest = sha256(json.dumps([form, source.name, source.classes, dict(made)], sort_keys=True).encode())
    for split in splits:
        digest.update(f"{split.name} {len(split.rows)}\n".encode())
        sizes = split.listing.sizes[split.rows]
        for column in (split.ids, split.listing.labels[split.rows], sizes, split.cuts):
            digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
