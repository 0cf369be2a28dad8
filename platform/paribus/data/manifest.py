"""The manifest of a shard set: what it holds, file by file, and the digest that names it. Imports no torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paribus.data.counters import Ids, sample_ids
from paribus.data.errors import DataError
from paribus.data.places import Place
from paribus.recipe.identity import canonical_json

MANIFEST = "manifest.json"
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shard(_Entry):
    """One tar file of samples."""

    file: str
    samples: int = Field(ge=1)
    bytes: int = Field(ge=1)
    sha256: Digest


class Split(_Entry):
    """The shards of one split, in order, and the file that lists key and class of each of their samples."""

    samples: int = Field(ge=1)
    index: str
    index_sha256: Digest
    shards: tuple[Shard, ...]


class Manifest(_Entry):
    """What a shard set holds; `digest` is its name for ever.

    `smallest` and `largest` are (height, width) in pixels over all splits; `mean` and `sd` are per channel over the
    pixels of the train split, in units of full white (0 to 1).
    """

    format: Literal[1] = 1
    name: str
    classes: tuple[str, ...]
    channels: Literal[1, 3]
    smallest: tuple[int, int]
    largest: tuple[int, int]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    undecodable: int = Field(0, ge=0)
    splits: Mapping[str, Split]
    made: Mapping[str, str | int | bool]

    @property
    def digest(self) -> str:
        """SHA-256, 64 hex digits, of the manifest's canonical JSON."""
        return sha256(canonical_json(self.model_dump(mode="json")).encode()).hexdigest()

    def split(self, name: str) -> Split:
        """The split called `name`; DataError lists those that there are."""
        if name not in self.splits:
            raise DataError(f"{self.name} has no split {name!r}: it has {', '.join(self.splits)}")
        return self.splits[name]

    def write(self) -> str:
        """The manifest as a document to read: one name a line."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"


@dataclass(frozen=True, kw_only=True)
class Index:
    """Key, class and shard of every sample of a split, in the order in which the shards hold them."""

    keys: tuple[str, ...]
    labels: NDArray[np.int64]
    ids: Ids
    shard_of: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.keys)


def read_manifest(place: Place) -> Manifest:
    """The manifest at `place`; DataError if there is none or it is not one."""
    try:
        return Manifest.model_validate_json(place.read(MANIFEST))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "the document"
        raise DataError(
            f"{place.name(MANIFEST)} is no manifest of Paribus ({where}: {fault['msg']}): make the shards again"
        ) from None


def read_index(place: Place, manifest: Manifest, split_name: str) -> Index:
    """The index of a split, checked against the manifest."""
    split = manifest.split(split_name)
    data = place.read(split.index)
    if sha256(data).hexdigest() != split.index_sha256:
        raise DataError(
            f"{place.name(split.index)} was altered: its SHA-256 is not the manifest's; make the shards again"
        )
    rows = [line.rsplit("\t", 1) for line in data.decode().splitlines()]
    counts = [shard.samples for shard in split.shards]
    if not len(rows) == sum(counts) == split.samples:
        raise DataError(
            f"{place.name(split.index)} lists {len(rows)} samples, the shards of {split_name!r} hold {sum(counts)} and "
            f"the manifest says {split.samples}: make the shards again"
        )
    keys = tuple(row[0] for row in rows)
    return Index(
        keys=keys,
        labels=np.array([int(row[1]) for row in rows], np.int64),
        ids=sample_ids(keys),
        shard_of=np.repeat(np.arange(len(counts)), counts),
        starts=np.cumsum([0, *counts])[:-1],
    )


def index_bytes(keys: Sequence[str], labels: Sequence[int]) -> bytes:
    """The index file: a line a sample, key, tab, class number."""
    repeated = [first for first, second in pairwise(sorted(keys)) if first == second]
    if repeated:
        raise DataError(f"two samples have the key {repeated[0]!r}: keys name samples, so give each its own")
    return "".join(f"{key}\t{label}\n" for key, label in zip(keys, labels, strict=True)).encode()
