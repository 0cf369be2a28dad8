"""The recorder's memory on disk: one folder per trial attempt, appended to by the trial and emptied by the sender.

    SPOOL/<study>/<trial id>.<attempt>/
        records.jsonl   one record a line; whoever holds its flock owns the folder
        sent            JSON: how many bytes of records.jsonl the server has, and the run's id
        0-curves.parquet, 1-...   artifacts, numbered, written aside and renamed

A record reaches the operating system before the call that made it returns, so kill -9 of the process loses nothing.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import re
import shutil
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import tags as words

RECORDS = "records.jsonl"
SENT = "sent"
REJECTED = ".rejected"
log = logging.getLogger(__name__)

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialHeader:
    """What a trial's attempt is, as the ledger needs to know it before the first point.

    `resumed_step` is the step of the checkpoint from which this attempt goes on (0: from the start).
    `run_id` is what the planner knows: the trial's run, "" where it looked and there is none yet,
    None where nobody looked (the sender then searches, which costs the server about 0.1 s).
    `settings` and `settings_name` are those of the study run that the trial belongs to.
    """

    study: str
    trial_id: str
    arm: tuple[tuple[str, Any], ...]
    arm_name: str
    replicate: int
    attempt: int = 1
    resumed_step: int = 0
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    started_ms: int = 0
    run_id: str | None = None
    settings: str = ""
    settings_name: str = ""


def header_record(header: TrialHeader) -> Record:
    """The first record of a spool."""
    return {"kind": "header", **asdict(header)}


def header_of(record: Record) -> TrialHeader:
    """The header from its record."""
    fields = {key: value for key, value in record.items() if key != "kind"}
    fields["arm"] = tuple((path, _tuple(level)) for path, level in fields["arm"])
    return TrialHeader(**fields)


def folder_of(spool: Path, header: TrialHeader) -> Path:
    """Where an attempt keeps its records."""
    study = re.sub(r"[^\w.-]", "_", header.study) or "_"
    return spool / study / f"{re.sub(r'[^0-9A-Za-z_-]', '_', header.trial_id)}.{header.attempt}"


def spools(spool: Path) -> list[Path]:
    """Every attempt's folder under `spool`, rejected ones left out."""
    found = (path.parent for path in spool.glob(f"*/*/{RECORDS}"))
    return sorted(path for path in found if path.suffix != REJECTED)


class Spool:
    """One attempt's folder, owned by this process for as long as it is open.

    Raises BlockingIOError if another live process owns it, FileNotFoundError if it is gone.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        self._fd = _own(folder / RECORDS, create=create)
        self._held: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._num_artifacts = sum(1 for path in folder.iterdir() if path.name[:1].isdigit())
        self.warned = False
        if (size := os.fstat(self._fd).st_size) and os.pread(self._fd, 1, size - 1) != b"\n":
            self._append(b"\n")

    def write(self, record: Record) -> None:
        """Append one record. A full disk does not raise: the record is held in memory and tried again later."""
        line = json.dumps(record, separators=(",", ":"), default=str).encode() + b"\n"
        with self._lock:
            self._held.append(line)
            self._settle()

    def settle(self) -> bool:
        """Write what is held; whether all of it is on disk now."""
        with self._lock:
            return self._settle()

    def _settle(self) -> bool:
        while self._held:
            try:
                self._append(self._held[0])
            except OSError as error:
                self._warn(error)
                return False
            self._held.popleft()
        return True

    def write_artifact(self, name: str, data: bytes) -> None:
        """Keep an artifact's bytes, then append the record that names it."""
        file = f"{self._num_artifacts}-{re.sub(r'[^0-9A-Za-z._-]', '_', name)}"
        self._num_artifacts += 1
        aside = self.folder / f".{file}"
        try:
            aside.write_bytes(data)
            os.replace(aside, self.folder / file)
        except OSError as error:
            self._warn(error)
            self.write({"kind": "tags", "tags": {words.LOST_ARTIFACT: f"{name}: {error}"}})
            return
        self.write({"kind": "artifact", "name": name, "file": file})

    def read(self, offset: int, limit: int) -> Iterator[tuple[Record, int]]:
        """Whole records from byte `offset` on, at most about `limit` bytes, each with the offset after it."""
        data = os.pread(self._fd, limit, offset)
        while data and b"\n" not in data and len(data) >= limit:
            limit *= 2
            data = os.pread(self._fd, limit, offset)
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                return
            offset += len(line)
            if line.strip():
                yield self._parsed(line), offset

    def sent(self) -> tuple[int, str]:
        """How many bytes the server has acknowledged, and the run's id ("" if unknown)."""
        try:
            answer = json.loads((self.folder / SENT).read_bytes())
            return int(answer["offset"]), str(answer["run_id"])
        except (FileNotFoundError, ValueError, KeyError):
            return 0, ""

    def acknowledge(self, offset: int, run_id: str) -> None:
        """Note, atomically, that the server has everything before `offset`."""
        aside = self.folder / f".{SENT}"
        try:
            aside.write_text(json.dumps({"offset": offset, "run_id": run_id}))
            os.replace(aside, self.folder / SENT)
        except OSError as error:
            self._warn(error)  # sending it again later is harmless

    def close(self) -> None:
        """Give the folder up; what it holds stays for a replay."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def discard(self) -> None:
        """Delete the folder: the server has all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def reject(self, reason: str) -> Path:
        """Put the folder aside with the reason, so that it neither blocks the others nor is lost."""
        aside = self.folder.with_name(self.folder.name + REJECTED)
        shutil.rmtree(aside, ignore_errors=True)
        (self.folder / "why.txt").write_text(reason + "\n")
        os.replace(self.folder, aside)
        self.close()
        return aside

    def _append(self, line: bytes) -> None:
        written = os.write(self._fd, line)
        if written < len(line):
            # A full disk may take half a line: end it, so that the reader can drop it, and say so.
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _parsed(self, line: bytes) -> Record:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if isinstance(record, dict) and "kind" in record:
            return record
        return {"kind": "torn"}

    def _warn(self, error: OSError) -> None:
        if not self.warned:
            log.warning("The ledger's spool %s can't be written (%s); records are held in memory", self.folder, error)
            self.warned = True


def _own(path: Path, *, create: bool) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    while True:
        descriptor = os.open(path, flags, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The former owner may have deleted the folder between our open and our lock.
            if os.fstat(descriptor).st_ino == os.stat(path).st_ino:
                return descriptor
        except OSError:
            os.close(descriptor)
            if not path.exists():
                if not create:
                    raise FileNotFoundError(path) from None
                path.parent.mkdir(parents=True, exist_ok=True)
                continue
            raise
        os.close(descriptor)


def _tuple(level: Any) -> Any:
    return tuple(map(_tuple, level)) if isinstance(level, list) else level
