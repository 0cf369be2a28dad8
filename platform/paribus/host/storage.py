"""Where lies what the nodes of a study share: checkpoints, and records on their way to the ledger.

A node knows the driver's folder by what is written in a file in it: a path alone says nothing, for another machine may
have another folder at the same path.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from paribus.host.home import HomeError, home
from paribus.host.plain_files import open_plain

STORAGE: Final = "PARIBUS_STORAGE"
_IDENTITY = ".identity"
_MOST_BYTES = 64
# What a storage must take before anything is planned for it.
_PROBE_BYTES = 64 << 10


def storage(own: Path | None = None) -> Path:
    """PARIBUS_STORAGE, a folder that every node has at this path; else `own`, by default the home.

    Raises:
        HomeError: it is an address and no folder, or something is there, or on the way there, that is no folder.
    """
    named = os.environ.get(STORAGE)
    if not named:
        return own or home()
    if "://" in named:
        raise HomeError(
            f"{STORAGE}={named}: it has to be a folder that every node has at the same path (NFS, or a bucket that is "
            "mounted); addresses are not written to yet. Name a folder, or unset it"
        )
    folder = Path(named).expanduser().absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise HomeError(f"{STORAGE}={named}: {there} is no folder. Name one, or unset it")
    return folder


def check_storage() -> None:
    """Raise HomeError where PARIBUS_STORAGE names what cannot be written to, or locks no files."""
    if not os.environ.get(STORAGE):
        return
    folder = storage()
    try:
        with written(folder, _PROBE_BYTES) as opened:
            try:
                fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise HomeError(
                    f"{STORAGE}={folder} locks no files ({error.strerror}), so that two processes could not keep apart "
                    "there: mount it with locks (NFS from version 4 on has them), or name another folder"
                ) from None
    except OSError as error:
        raise HomeError(
            f"{STORAGE}={folder} cannot be written to ({error.strerror}): name a folder of yours with some room, or "
            "unset it"
        ) from None


@contextmanager
def written(folder: Path, num_bytes: int) -> Iterator[BinaryIO]:
    """Within the block a file of so many bytes lies in `folder`, on its disk. Raises OSError where it takes none."""
    file = folder / f".room-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as opened:
            opened.write(bytes(num_bytes))
            opened.flush()
            os.fsync(opened.fileno())
            yield opened
    finally:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def identity(folder: Path) -> str:
    """What tells this folder from others at its path, written into it at first; "" where it cannot be written."""
    file = folder / _IDENTITY
    for _ in range(2):
        if found := _read(file):
            return found
        aside = file.with_name(f"{_IDENTITY}.{uuid.uuid4().hex}")
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            try:
                aside.write_text(uuid.uuid4().hex)
                os.link(aside, file)  # of two that write at once the first one stands
            finally:
                aside.unlink(missing_ok=True)
    return ""


def is_same(folder: Path, known: str) -> bool:
    """Whether the folder at this path is the one with the identity `known`; "" says that nothing is known of it."""
    return not known or _read(folder / _IDENTITY) == known


def _read(file: Path) -> str:
    with suppress(OSError, ValueError), open_plain(file) as opened:
        return opened.read(_MOST_BYTES).decode("ascii").strip()
    return ""
