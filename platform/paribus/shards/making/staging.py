"""A shard set in the making: what is done lies beside the target, where no reader looks, until all is done."""

import json
import shutil
from dataclasses import asdict, dataclass
from hashlib import sha256
from io import SEEK_END, BufferedWriter, BytesIO
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from paribus.errors import DataError
from paribus.host.atomic import flush, new_file
from paribus.host.plain_files import open_plain, parsed, read_document
from paribus.shards.index import Rows
from paribus.shards.making.plan import ShardPlan
from paribus.shards.making.survey import Survey
from paribus.shards.manifest import MANIFEST, Manifest, Shard

_PLAN = "plan.json"
_NAMED = 3
_DIGEST_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a finished shard: its entry in the manifest, its rows of the index, its sums."""

    shard: Shard
    rows: Rows
    survey: Survey

    def write(self, handle: BufferedWriter) -> None:
        """Append to `handle`: a line of JSON, the rows, and the SHA-256 of both."""
        document = {"shard": self.shard.model_dump(), "survey": asdict(self.survey)}
        content = BytesIO(json.dumps(document).encode() + b"\n")
        content.seek(0, SEEK_END)
        np.save(content, self.rows)
        handle.write(content.getbuffer())
        handle.write(sha256(content.getbuffer()).digest())

    @classmethod
    def read(cls, handle: BinaryIO) -> "Facts":
        """What `write` wrote; ValueError where it is damaged."""
        data = handle.read()
        if sha256(data[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
            raise ValueError("its bytes do not match the digest at its end")
        handle = BytesIO(data[:-_DIGEST_BYTES])
        document = parsed(handle.readline())
        survey = Survey(**document["survey"])
        return cls(shard=Shard(**document["shard"]), rows=np.load(handle), survey=survey)


@dataclass(frozen=True)
class Folders:
    """Where the parts of a half-made set lie: `.NAME.partial` beside the target NAME."""

    target: Path

    @property
    def root(self) -> Path:
        """All of it."""
        return self.target.parent / f".{self.target.name}.partial"

    @property
    def set(self) -> Path:
        """The files of the set; becomes the target."""
        return self.root / "set"

    @property
    def facts(self) -> Path:
        """A note for every finished shard, under its name."""
        return self.root / "facts"

    @property
    def work(self) -> Path:
        """Files that are being written."""
        return self.root / "work"


class Staging:
    """The half-made set of `plan` for the folder `target`; to be used under the lock of `target`."""

    def __init__(self, target: Path, plan: ShardPlan) -> None:
        self.folders, self._plan = Folders(target), plan

    def open(self, restart: bool) -> None:
        """Begin, or go on with what a process left that stopped or was killed; `restart` drops that first.

        Raises:
            DataError: what lies there was begun from other images or with other options.
        """
        root = self.folders.root
        begun = None if restart else _begun(root / _PLAN)
        if begun is not None and begun["digest"] != self._plan.digest:
            raise DataError(
                f"{root} holds a half-made set of another plan ({self._difference(begun)}): give the command that it "
                "was begun with to finish it, or --restart to drop it"
            )
        if begun is None:
            shutil.rmtree(root, ignore_errors=True)
        # What a killed process was writing; its finished shards lie elsewhere.
        shutil.rmtree(self.folders.work, ignore_errors=True)
        for folder in (self.folders.set, self.folders.facts, self.folders.work):
            folder.mkdir(parents=True, exist_ok=True)
        if begun is None:
            with new_file(root / _PLAN) as handle:
                handle.write(json.dumps(self._description(), indent=1).encode())

    def is_done(self, file: str) -> bool:
        """Whether the shard `file` is finished."""
        if not (self.folders.set / file).is_file():
            return False
        try:
            self.facts(file)
        # A damaged note is none: its shard is made again.
        except (OSError, EOFError, KeyError, TypeError, ValueError):
            return False
        return True

    def facts(self, file: str) -> Facts:
        """The note of the finished shard `file`."""
        with open_plain(self.folders.facts / file) as handle:
            return Facts.read(handle)

    def add(self, file: str, data: bytes) -> None:
        """Add a file that is no shard."""
        with new_file(self.folders.set / file, self.folders.work) as handle:
            handle.write(data)

    def list_undecodable(self, names: list[str]) -> Path:
        """Keep the whole list of what does not decode; where it lies."""
        path = self.folders.root / "undecodable.txt"
        with new_file(path) as handle:
            handle.write("".join(f"{name}\n" for name in names).encode())
        return path

    def publish(self, manifest: Manifest, record: IO[str]) -> None:
        """Write the manifest and let the set appear; `record` is the lock's file, which keeps who made what."""
        self.add(MANIFEST, manifest.write().encode())
        _record(record, {"plan": self._plan.digest, "digest": manifest.digest})
        self.folders.set.rename(self.folders.target)
        flush(self.folders.target.parent)
        shutil.rmtree(self.folders.root, ignore_errors=True)

    def was_published(self, digest: str, record: IO[str]) -> bool:
        """Whether the set of `digest` that lies at the target was made by this plan, as the lock's file tells."""
        record.seek(0)
        try:
            return bool(parsed(record.read()) == {"plan": self._plan.digest, "digest": digest})
        except ValueError:
            return False

    def _description(self) -> dict[str, Any]:
        return {
            "digest": self._plan.digest,
            "name": self._plan.name,
            "samples": {split.name: len(split.rows) for split in self._plan.splits},
            "made": dict(self._plan.made),
        }

    def _difference(self, begun: dict[str, Any]) -> str:
        mine = self._description()
        theirs, ours = ({"name": of["name"], **of["samples"], **of["made"]} for of in (begun, mine))
        names = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
        if not names:
            return "its images have other names, classes or sizes"
        return "; ".join(f"{name}: {theirs.get(name)} there, {ours.get(name)} here" for name in names[:_NAMED])


def _begun(path: Path) -> dict[str, Any] | None:
    """The plan that a half-made set was begun with; None if there is none, or nothing to go on with."""
    try:
        document = read_document(path)
        # What another plan was is told from these; without them nothing is known of what lies here.
        _ = {"name": document["name"], "digest": document["digest"], **document["samples"], **document["made"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(document)


def _record(handle: IO[str], document: dict[str, str]) -> None:
    handle.seek(0)
    handle.truncate()
    handle.write(json.dumps(document))
    handle.flush()
