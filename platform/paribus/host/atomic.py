"""Folders that appear whole or not at all, made by one process at a time."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import IO

from paribus.errors import DataError


@contextmanager
def lock(folder: Path, on_wait: Callable[[], None] | None = None) -> Iterator[IO[str]]:
    """Hold the lock of `folder`; other processes call `on_wait` and wait. The kernel frees it when a holder dies.

    Yields the lock's file, which stays: a maker may keep in it what later ones want to know.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        handle = (folder.parent / f".{folder.name}.lock").open("a+")
    except OSError as error:
        raise DataError(f"{folder} cannot be made: {error}") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if on_wait is not None:
                on_wait()
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle


def require_disk(folder: Path, num_bytes: int) -> None:
    """DataError if the disk of `folder` has less than `num_bytes` and a tenth free."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < 1.1 * num_bytes:
        raise DataError(
            f"{folder} needs about {num_bytes / 2**20:,.0f} MiB and {existing} has {free / 2**20:,.0f} MiB free: "
            "make room or choose another disk"
        )


@contextmanager
def new_file(path: Path, work: Path | None = None) -> Iterator[BufferedWriter]:
    """A file that becomes `path` at the end, or vanishes; written beside it, or in `work` on the same disk."""
    partial = (work or path.parent) / f".{path.name}.{os.getpid()}"
    try:
        with partial.open("wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Let a file's bytes, or a folder's names, reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
