"""The recorder's memory on disk: one folder per trial attempt, appended to by the trial and emptied by the sender.

    OUTBOX/<study>/<trial id>.<attempt>/
        records.jsonl   one record a line; whoever holds its flock owns the folder
        sent            JSON: how many bytes of records.jsonl the server has, the run's id, the files that it has
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
import stat
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from paribus.tracking.trials.record import TrialRecord

RECORDS = "records.jsonl"
_SENT = "sent"
REJECTED = ".rejected"
WHY = "why.txt"
# Files that a full disk did not take are held in memory, up to this size in all, until they are sent.
_HELD_BYTES = 256 * 2**20
log = logging.getLogger(__name__)

Record = dict[str, Any]


class OutboxError(RuntimeError):
    """A file of an outbox that can't be sent, ever; the message says which and why."""


class Sent(NamedTuple):
    """What the server has of an outbox: the bytes of its records, the run's id ("" if unknown), and the files."""

    offset: int = 0
    run_id: str = ""
    files: tuple[str, ...] = ()


def folder_of(outbox: Path, trial: TrialRecord) -> Path:
    """Where the trial's newest attempt keeps its records."""
    study = re.sub(r"[^\w.-]", "_", trial.study) or "_"
    return outbox / study / f"{re.sub(r'[^0-9A-Za-z_-]', '_', trial.trial_id)}.{trial.attempt}"


def free_folder(folder: Path) -> Path:
    """`folder`, or one beside it where a dead process left an attempt of that number that has ended and still waits.

    What goes on in an attempt that had no end is of that attempt; what follows an end would be lost with it.
    """
    number, found = 1, folder
    while _has_end(found):
        number += 1
        found = folder.with_name(f"{folder.name}.{number}")
    return found


def _has_end(folder: Path) -> bool:
    try:
        return b'"kind":"end"' in (folder / RECORDS).read_bytes()
    except OSError:
        return False


def outboxes(outbox: Path, *, refused: bool = False) -> list[Path]:
    """Every attempt's folder under `outbox`, by name; those that the server refused only where asked for them."""
    found = {path.parent for path in outbox.glob(f"*/*/{RECORDS}")}
    return sorted(path for path in found if refused or path.suffix != REJECTED)


class Outbox:
    """One attempt's folder, owned by this process for as long as it is open.

    Raises BlockingIOError if another live process owns it, FileNotFoundError if it is gone.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        self._fd = _own(folder / RECORDS, create=create)
        self._held: deque[bytes] = deque()
        self._held_files: dict[str, bytes] = {}
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
        try:
            while self._held_files:
                file = next(iter(self._held_files))
                self._store(file, self._held_files[file])
                del self._held_files[file]
            while self._held:
                self._append(self._held[0])
                self._held.popleft()
        except OSError as error:
            self._warn(error)
            return False
        return True

    def held(self) -> list[bytes]:
        """The lines that the disk did not take yet; they come after all that it has."""
        with self._lock:
            return list(self._held)

    def forget(self, lines: list[bytes]) -> None:
        """Drop `lines`, which begin what is held: the server has them."""
        with self._lock:
            for line in lines:
                if self._held and self._held[0] is line:
                    self._held.popleft()

    def forget_file(self, file: str) -> None:
        """Drop a file that was held: the server has it."""
        with self._lock:
            self._held_files.pop(file, None)

    def write_artifact(self, name: str, data: bytes) -> None:
        """Keep an artifact's bytes, then append the record that names it; a full disk holds both in memory."""
        file = f"{self._num_artifacts}-{re.sub(r'[^0-9A-Za-z._-]', '_', name)[-100:]}"
        self._num_artifacts += 1
        with self._lock:
            try:
                self._store(file, data)
            except OSError as error:
                self._warn(error)
                if sum(map(len, self._held_files.values())) + len(data) <= _HELD_BYTES:
                    self._held_files[file] = data
        self.write({"kind": "artifact", "name": name, "file": file})

    def _store(self, file: str, data: bytes) -> None:
        aside = self.folder / f".{file}"
        try:
            aside.write_bytes(data)
            os.replace(aside, self.folder / file)
        except OSError:
            aside.unlink(missing_ok=True)
            raise

    def artifact(self, file: str) -> bytes:
        """The bytes of the artifact `file` of this folder. Raises OutboxError where there are none, or it lies outside.

        A record may have been tampered with or damaged: only a regular file of the folder itself is ever sent.
        """
        with self._lock:
            if file in self._held_files:
                return self._held_files[file]
        if not file or file != os.path.basename(file) or file in (os.curdir, os.pardir):
            raise OutboxError(f"the record names {file!r}, which is no file of its own folder")
        try:
            descriptor = os.open(self.folder / file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as source:
                if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                    raise OutboxError(f"{file!r} is no regular file")
                return source.read()
        except (OSError, ValueError) as error:
            text = f"{file!r} can't be read from the outbox ({error}): a full disk, or somebody took it"
            raise OutboxError(text) from error

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
                yield parsed(line), offset

    def sent(self) -> Sent:
        """What the server has acknowledged."""
        return sent_of(self.folder)

    def acknowledge(self, sent: Sent) -> None:
        """Note, atomically, what the server has."""
        aside = self.folder / f".{_SENT}"
        try:
            aside.write_text(json.dumps({"offset": sent.offset, "run_id": sent.run_id, "files": list(sent.files)}))
            os.replace(aside, self.folder / _SENT)
        except OSError as error:
            self._warn(error)  # sending it again later is harmless

    def files(self) -> dict[str, bytes]:
        """All that is on disk, by name: what another machine needs to go on with it."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}

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
        aside, number = self.folder, 1
        if self.folder.suffix != REJECTED:
            aside = self.folder.with_name(self.folder.name + REJECTED)
            while aside.exists():  # an earlier attempt of that number, which waits there as well
                number += 1
                aside = self.folder.with_name(f"{self.folder.name}.{number}{REJECTED}")
        try:
            os.replace(self.folder, aside)
            (aside / WHY).write_text(reason + "\n")
        except OSError as error:
            self._warn(error)
        self.close()
        return aside if aside.exists() else self.folder

    def _append(self, line: bytes) -> None:
        written = os.write(self._fd, line)
        if written < len(line):
            # A full disk may take half a line: end it, so that the reader can drop it, and say so.
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _warn(self, error: OSError) -> None:
        if not self.warned:
            log.warning("The ledger's outbox %s can't be written (%s); records are held in memory", self.folder, error)
            self.warned = True


def sent_of(folder: Path) -> Sent:
    """What the server has of an outbox; nothing where the note is missing or damaged: sending twice is harmless."""
    try:
        answer = json.loads((folder / _SENT).read_bytes())
    except (OSError, ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        return Sent()
    offset, run_id, files = answer.get("offset"), answer.get("run_id"), answer.get("files", [])
    if type(offset) is not int or not isinstance(run_id, str) or not _ends_a_line(folder / RECORDS, offset):
        return Sent()
    return Sent(offset, run_id, tuple(map(str, files)) if isinstance(files, list) else ())


def _ends_a_line(path: Path, offset: int) -> bool:
    if offset == 0:
        return True
    try:
        with path.open("rb") as records:
            if not 0 < offset <= os.fstat(records.fileno()).st_size:
                return False
            records.seek(offset - 1)
            return records.read(1) == b"\n"
    except OSError:
        return False


def parsed(line: bytes) -> Record:
    """The record of one line; of the kind `torn` where a crash or a hand left no record."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if isinstance(record, dict) and isinstance(record.get("kind"), str):
        return record
    return {"kind": "torn"}


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
