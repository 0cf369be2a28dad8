"""One shard read once: what is in it, kept in a note of its own so that an interrupted index goes on from there."""

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

import numpy as np

from paribus.errors import DataError
from paribus.host.atomic import new_file
from paribus.host.plain_files import open_plain, parsed
from paribus.shards.counters import keyed_hash, sample_ids
from paribus.shards.in_place.layout import Layout, SampleError
from paribus.shards.in_place.tar_stream import Forward, Sample, drain, read_samples
from paribus.shards.index import WIDE_ROW, Rows
from paribus.shards.making.survey import Survey
from paribus.shards.making.writing import Tick
from paribus.shards.sources.source import File, tidy_key
from paribus.shards.storage.locations import ShardLocation

_DIGEST_BYTES = 32
# A shard of which most samples are faulty after so many is of another layout: no need to read on.
_HOPELESS = 200


@dataclass(frozen=True, kw_only=True)
class HoldOut:
    """The split that a part of the training samples goes to: those whose keyed hash is below `below`."""

    split: str
    below: int

    def holds(self, name: str) -> bool:
        """Whether the sample called `name` is held out; its side never changes when others come or go."""
        return int(keyed_hash(sample_ids([name]), "held out", self.split)[0]) < self.below


@dataclass(frozen=True, kw_only=True)
class ShardJob:
    """A shard to read: its split, its place, and its bytes."""

    split: str
    root: str
    file: str
    num_bytes: int
    train: bool

    @property
    def note(self) -> str:
        """The name of its note."""
        return sha256(f"{self.split}\n{self.root}\n{self.file}".encode()).hexdigest()[:32]


@dataclass(kw_only=True)
class Note:
    """What is known of a shard: samples by key, class as written, row of the index and side; and what was left out."""

    num_bytes: int = 0
    sha256: str = ""
    keys: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    held: list[bool] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    survey: Survey = field(default_factory=Survey)
    rows: Rows = field(default_factory=lambda: np.zeros(0, WIDE_ROW))

    def write(self, handle: BinaryIO) -> None:
        """A line of JSON, the rows, and the SHA-256 of both."""
        document = asdict(self)
        del document["rows"]
        content = BytesIO(json.dumps(document).encode() + b"\n")
        content.seek(0, SEEK_END)
        np.save(content, self.rows)
        handle.write(content.getbuffer())
        handle.write(sha256(content.getbuffer()).digest())

    @classmethod
    def read(cls, path: Path) -> "Note | None":
        """What `write` wrote to `path`; None where there is nothing, or it is damaged."""
        try:
            with open_plain(path) as handle:
                data = handle.read()
            if sha256(data[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
                return None
            content = BytesIO(data[:-_DIGEST_BYTES])
            document = parsed(content.readline())
            survey = Survey(**document.pop("survey"))
            return cls(**document, survey=survey, rows=np.load(content))
        except (OSError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, kw_only=True)
class Scan:
    """Reads shards of one layout; notes appear whole in `notes`."""

    notes: Path
    layout: Layout
    hold_out: HoldOut | None

    def write(self, job: ShardJob, tick: Tick) -> None:
        """Read the shard of `job` from front to back and write its note.

        Raises:
            DataError: it is missing, no whole tar, of another length, or of another layout.
        """
        reading = _Reading(self, job)
        reading.read(tick)
        with new_file(self.notes / job.note, self.notes.parent) as handle:
            reading.note.write(handle)


class _Reading:
    """One shard's reading."""

    def __init__(self, scan: Scan, job: ShardJob) -> None:
        self._scan, self._job = scan, job
        self._place = ShardLocation(job.root)
        self._name = self._place.name(job.file)
        self._rows: list[tuple[int, ...]] = []
        self._stem = Path(job.file).stem
        self.note = Note()

    def read(self, tick: Tick) -> None:
        stream = Forward(self._place.stream(self._job.file, self._job.num_bytes))
        before = 0
        for sample in read_samples(self._name, stream, self._scan.layout.wants):
            self._take(sample)
            tick(stream.length - before)
            before = stream.length
        drain(self._name, stream)
        if stream.length != self._job.num_bytes:
            raise DataError(f"{self._name} changed while it was read: give the command again once it is whole")
        note = self.note
        note.num_bytes, note.sha256 = stream.length, stream.hash.hexdigest()
        note.rows = np.array(self._rows, WIDE_ROW) if self._rows else note.rows

    def _take(self, sample: Sample) -> None:
        """Add a sample, or say why it is left out."""
        note = self.note
        key = tidy_key(sample.key.rpartition("/")[2])
        key = f"{sample.key.rpartition('/')[0]}/{key}".lstrip("/")
        held = self._scan.hold_out is not None and self._job.train and self._scan.hold_out.holds(f"{self._stem}/{key}")
        try:
            suffix, image = self._scan.layout.image_of(sample)
            label = self._scan.layout.label_of(sample)
            assert image.data is not None, "the layout wants its image"
            file = File(suffix=suffix, data=image.data)
            height, width = note.survey.see(file, key, self._job.train and not held)
            if not height:
                raise SampleError(f"has an image that does not decode: {note.survey.undecodable.pop()}")
        except SampleError as error:
            note.left_out.append(f"{self._name}: sample {sample.key!r} {error}")
            self._check_hope()
            return
        self._rows.append((0, image.offset, image.length, crc32(image.data), 0, height, width))
        note.keys.append(key)
        note.labels.append(label)
        note.held.append(held)

    def _check_hope(self) -> None:
        left_out = self.note.left_out
        if len(left_out) >= _HOPELESS and len(left_out) > len(self._rows):
            raise DataError(
                f"{len(left_out)} of the first {len(left_out) + len(self._rows)} samples cannot be used "
                f"({self._scan.layout.words}): {left_out[0]}; if the files of a sample do not follow each other in the "
                "tar, sort it by name (tar --sort=name), else say with --image and --label which files they are"
            )
