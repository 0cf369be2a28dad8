"""One shard: files read, surveyed and written as a tar of samples, whole or not at all."""

import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedWriter
from zlib import crc32

import numpy as np

from paribus.errors import DataError
from paribus.host.atomic import new_file
from paribus.shards.index import ROW
from paribus.shards.making.plan import MAX_SHARD_MIB, TRAIN, Job
from paribus.shards.making.recode import Recoding
from paribus.shards.making.staging import Facts, Folders
from paribus.shards.making.survey import Survey
from paribus.shards.manifest import Shard
from paribus.shards.sources.source import File, Load

# Called after each sample with the bytes that were read.
Tick = Callable[[int], None]
_MAX_BYTES = 2 * MAX_SHARD_MIB << 20


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What all shards of a set are written with; `loads` are the listings' own, by split."""

    folders: Folders
    loads: dict[str, Load]
    recoding: Recoding | None

    def write(self, job: Job, tick: Tick) -> None:
        """Make the shard of `job` and the note of what is in it; both appear whole, the note last.

        Raises:
            DataError: a file of the source that cannot be read, or a shard too large for its index.
        """
        rows = np.zeros(len(job.rows), ROW)
        rows["id"], rows["label"] = job.ids, job.labels
        survey = Survey()
        with new_file(self.folders.set / job.file, self.folders.work) as handle:
            tar = _Tar(handle, job.file)
            for row, key, number in zip(rows, job.keys, job.rows.tolist(), strict=True):
                file, num_read = self._load(job.split, key, number)
                row["height"], row["width"] = survey.see(file, f"{job.split}: {key}", job.split == TRAIN)
                row["offset"] = tar.add(f"{key}.{file.suffix}", file.data)
                row["length"], row["crc"] = len(file.data), crc32(file.data)
                tar.add(f"{key}.cls", str(row["label"]).encode())
                tick(num_read)
            num_bytes, digest = tar.close()
        shard = Shard(file=job.file, samples=len(rows), bytes=num_bytes, sha256=digest)
        with new_file(self.folders.facts / job.file, self.folders.work) as handle:
            Facts(shard=shard, rows=rows, survey=survey).write(handle)

    def _load(self, split: str, key: str, row: int) -> tuple[File, int]:
        """The file as it will be stored, and how many bytes its original has."""
        try:
            file = self.loads[split](row)
        except OSError as error:
            raise DataError(f"{split}: {key} cannot be read: {error}") from None
        return file if self.recoding is None else self.recoding(file), len(file.data)


class _Tar:
    """A tar in the form of Python's `tarfile` (POSIX pax), of which the places of the data are known."""

    def __init__(self, handle: BufferedWriter, name: str) -> None:
        self._handle, self._name = handle, name
        self._hash, self._length = sha256(), 0

    def add(self, name: str, data: bytes) -> int:
        """Append a file; the offset of its data in the tar."""
        # TarInfo's defaults are time 0 and owner 0: nothing of this machine enters the bytes.
        member = tarfile.TarInfo(name)
        member.size = len(data)
        self._write(member.tobuf(tarfile.PAX_FORMAT))
        offset = self._length
        self._write(data)
        self._write(bytes(-len(data) % tarfile.BLOCKSIZE))
        if self._length > _MAX_BYTES:
            raise DataError(f"{self._name} would be larger than {_MAX_BYTES:,} bytes: choose a smaller --shard-size")
        return offset

    def close(self) -> tuple[int, str]:
        """End the tar; its length and SHA-256."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._write(bytes(-self._length % tarfile.RECORDSIZE))
        return self._length, self._hash.hexdigest()

    def _write(self, data: bytes) -> None:
        self._handle.write(data)
        self._hash.update(data)
        self._length += len(data)
