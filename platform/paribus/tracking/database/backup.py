"""A ledger in one file: its database as it is at one moment, and its artifacts; and back into an empty home.

The file is a gzipped tar: `ledger.json` (what it is of), `database`, then `artifacts/...`. The database goes first: a
record names its files only after they are stored, so that every file that it names is in the copy.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from io import BytesIO
from pathlib import Path, PurePosixPath

from paribus.tracking.database import place, postgres
from paribus.tracking.errors import LedgerError

_FORMAT = 1
_MIB = 2**20
_ABOUT, _DATABASE, _ARTIFACTS = "ledger.json", "database", "artifacts"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a backup holds: `kind` of database (sqlite or postgresql), number of artifacts, bytes of the file."""

    kind: str
    num_artifacts: int
    num_bytes: int


def backup(folder: Path, to: Path) -> Summary:
    """Write the ledger of `folder` into the new file `to` (mode 0600), also while its server writes.

    Raises LedgerError where there is none, or `to` exists; what fails half-way leaves no file.
    """
    if to.exists():
        raise LedgerError(f"{to} is there already: give the backup another name")
    address = place.database_of(folder)
    kind = _kind(address)
    if kind == place.SQLITE and not place.sqlite_file(folder).is_file():
        raise LedgerError(f"there is no ledger in {folder} yet")
    draft = to.with_name(f"{to.name}.part")
    try:
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".backup") as aside:
            database = Path(aside) / _DATABASE
            if kind == place.SQLITE:
                copy_sqlite(place.sqlite_file(folder), database)
            else:
                postgres.dump(address, database)
            num = _write(draft, kind, database, folder / _ARTIFACTS)
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)
    return Summary(kind=kind, num_artifacts=num, num_bytes=to.stat().st_size)


def restore(folder: Path, source: Path) -> Summary:
    """Put the ledger in `source` into `folder`, which has none yet.

    Raises LedgerError where the folder has records or a server, or the file is damaged or of another kind of database;
    then nothing has changed.
    """
    from paribus.tracking.mlflow.server import running_server

    address = place.database_of(folder)
    kind = _kind(address)
    if running_server(folder) is not None:
        raise LedgerError("the ledger's server is up: `paribus down` first")
    if place.has_records(folder) if kind == place.SQLITE else postgres.has_records(address):
        raise LedgerError(
            f"{folder if kind == place.SQLITE else address} has records already, and a backup replaces none: choose an "
            "empty PARIBUS_HOME, or move that ledger away"
        )
    if any((folder / _ARTIFACTS).glob("*")):
        raise LedgerError(f"{folder / _ARTIFACTS} has files already: choose an empty PARIBUS_HOME, or move them away")
    folder.mkdir(parents=True, exist_ok=True)
    with _unpacked(source, folder, kind) as (aside, num):
        if kind == place.SQLITE:
            _check_sqlite(aside / _DATABASE, source)
        else:
            postgres.load(address, aside / _DATABASE)
        _put(aside / _ARTIFACTS, folder / _ARTIFACTS)
        if kind == place.SQLITE:
            for log in ("-wal", "-shm"):  # of the empty database that was there
                place.sqlite_file(folder).with_name(f"mlflow.db{log}").unlink(missing_ok=True)
            (aside / _DATABASE).replace(place.sqlite_file(folder))
    return Summary(kind=kind, num_artifacts=num, num_bytes=source.stat().st_size)


def copy_sqlite(database: Path, to: Path) -> None:
    """A copy of an SQLite database in one file, whole also while a server writes to it."""
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(to)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, with no log beside it


def _kind(address: str) -> str:
    return place.SQLITE if address == place.SQLITE else "postgresql"


def _write(draft: Path, kind: str, database: Path, artifacts: Path) -> int:
    about = {"format": _FORMAT, "kind": kind, "mlflow": version("mlflow"), "made_s": int(time.time())}
    files = sorted(path for path in artifacts.rglob("*") if path.is_file())
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
            text = json.dumps(about | {"num_artifacts": len(files)}).encode()
            head = tarfile.TarInfo(_ABOUT)
            head.size = len(text)
            tar.addfile(head, BytesIO(text))
            tar.add(database, _DATABASE)
            for path in files:
                tar.add(path, f"{_ARTIFACTS}/{path.relative_to(artifacts)}")
        file.flush()
        os.fsync(file.fileno())
    return len(files)


@contextmanager
def _unpacked(source: Path, folder: Path, kind: str) -> Iterator[tuple[Path, int]]:
    """The backup's parts beside the ledger, read to their end, and the number of its artifacts."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restoring") as name:
        aside = Path(name)
        try:
            num = _unpack(source, aside, kind)
        except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, OSError) and error.filename is not None and Path(error.filename) == source:
                raise
            raise LedgerError(f"{source} is no whole backup of a ledger ({error}): nothing was changed") from error
        yield aside, num


def _unpack(source: Path, aside: Path, kind: str) -> int:
    num = 0
    with gzip.open(source) as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        head = tar.next()
        if head is None or head.name != _ABOUT or (file := tar.extractfile(head)) is None:
            raise ValueError(f"it does not begin with {_ABOUT}")
        about = json.load(file)
        if about["format"] != _FORMAT:
            raise ValueError(f"format {about['format']}, and this Paribus reads {_FORMAT}")
        if about["kind"] != kind:
            raise LedgerError(
                f"{source} is of a ledger in {about['kind']}, and this home's is in {kind}: restore it into a home of "
                "its kind; `paribus ledger move` takes a ledger from SQLite to PostgreSQL"
            )
        while (member := tar.next()) is not None:
            _extract(tar, member, aside)
            num += member.name.startswith(f"{_ARTIFACTS}/")
        while stream.read(_MIB):  # to its end, where the sum over all of it stands
            pass
    if num != about["num_artifacts"] or not (aside / _DATABASE).is_file():
        raise ValueError(f"{num} of {about['num_artifacts']} files are in it")
    return num


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, aside: Path) -> None:
    """Write one file of the archive, which may lie nowhere but below `aside`, whatever it is called."""
    path = PurePosixPath(member.name)
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or path.is_absolute() or ".." in path.parts or path.parts[0] not in (_DATABASE, _ARTIFACTS):
        raise ValueError(f"{member.name!r} does not belong into one")
    target = aside / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(content, file)


def _check_sqlite(database: Path, source: Path) -> None:
    try:
        with closing(sqlite3.connect(database)) as base:
            (found,) = base.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise LedgerError(f"the database in {source} is damaged ({found}): nothing was changed")


def _put(artifacts: Path, to: Path) -> None:
    if artifacts.is_dir():
        if to.is_dir():
            to.rmdir()
        artifacts.replace(to)
