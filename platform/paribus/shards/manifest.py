"""The manifest of a shard set: what it holds, file by file, and the digest that names it. Imports no torch."""

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from paribus.errors import DataError
from paribus.recipe.identity import canonical_json
from paribus.shards.storage.locations import ShardLocation

MANIFEST = "manifest.json"
FORMAT = 2
# Pixels, 16 bits of which the index has room for; parts of full white, NaN being none.
Side = Annotated[int, Field(ge=0, lt=1 << 16)]
Share = Annotated[float, Field(ge=0, le=1)]
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
    """The shards of one split, in order, and the two files that describe each of their samples (`index.py`)."""

    samples: int = Field(ge=1)
    index: str
    index_sha256: Digest
    keys: str
    keys_sha256: Digest
    shards: tuple[Shard, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        held = sum(shard.samples for shard in self.shards)
        if held != self.samples:
            raise ValueError(f"the split has {self.samples} samples, and its shards hold {held}")
        return self


class Manifest(_Entry):
    """What a shard set holds; `digest` is its name for ever.

    `smallest` and `largest` are (height, width) in pixels over all splits; `mean` and `sd` are per channel over the
    pixels of the train split, in units of full white (0 to 1).
    """

    format: Literal[2] = 2
    name: str
    classes: Annotated[tuple[str, ...], Field(min_length=1)]
    channels: Literal[1, 3]
    smallest: tuple[Side, Side]
    largest: tuple[Side, Side]
    mean: tuple[Share, ...]
    sd: tuple[Share, ...]
    undecodable: int = Field(0, ge=0)
    splits: Mapping[str, Split]
    made: Mapping[str, str | int | bool]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if not len(self.mean) == len(self.sd) == self.channels:
            raise ValueError(
                f"channels is {self.channels}, and there are {len(self.mean)} values of mean and {len(self.sd)} of sd"
            )
        if any(low > high for low, high in zip(self.smallest, self.largest, strict=True)):
            raise ValueError(f"smallest {self.smallest} is above largest {self.largest}")
        return self

    @cached_property
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


class OutdatedError(DataError):
    """A manifest of another format."""


def read_manifest(place: ShardLocation) -> Manifest:
    """The manifest at `place`; DataError if there is none or it is none, OutdatedError for an earlier one."""
    data = place.read(MANIFEST)
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        if fault["loc"] == ("format",):
            raise OutdatedError(
                f"{place.name(MANIFEST)} has format {fault['input']!r} and this Paribus reads {FORMAT}: "
                "make the shards again"
            ) from None
        where = ".".join(map(str, fault["loc"])) or "the document"
        raise DataError(
            f"{place.name(MANIFEST)} is no manifest of Paribus ({where}: {fault['msg']}): make the shards again"
        ) from None
