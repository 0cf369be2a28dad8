"""Folders that appear whole or not at all, made by one process at a time."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paribus.data.errors import DataError


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`; other processes wait. The kernel releases it when a holder dies."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        handle = (folder.parent / f".{folder.name}.lock").open("w")
    except OSError as error:
        raise DataError(f"{folder} cannot be made: {error}") from None
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """An empty folder that becomes `folder` at the end, or vanishes if anything fails; call it under `lock(folder)`.

    Raises:
        DataError: the disk is full, or a file could not be read or written.
    """
    partial = folder.parent / f".{folder.name}.partial"
    # One that lies here already was left by a killed process, because the lock lets one maker in at a time.
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        for file in partial.iterdir():
            _flush(file)
        partial.rename(folder)
    except OSError as error:
        raise DataError(f"{folder} was not written: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def require_disk(folder: Path, num_bytes: int) -> None:
    """DataError if the disk of `folder` has less than `num_bytes` and a tenth free."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if free < 1.1 * num_bytes:
        raise DataError(
            f"{folder} needs about {num_bytes / 2**20:,.0f} MiB and {existing} has {free / 2**20:,.0f} MiB free: "
            "make room or choose another disk"
        )


def _flush(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
