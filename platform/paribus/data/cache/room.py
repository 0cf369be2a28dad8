"""Room on disk for caches of decoded pixels: bounded together, the longest unused go first, none that is in use."""

import fcntl
import os
import shutil
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import BinaryIO

from paribus.errors import DataError
from paribus.host.atomic import lock
from paribus.host.plain_files import open_plain
from paribus.shards.storage.node_cache import FOLDER, LIMIT_GIB, cache_folder, cache_limit

# The one large file of a cache.
PIXELS = "pixels"
# What a file system keeps for itself.
_SPARE = 1.02


class NoRoomError(DataError):
    """A cache does not fit."""


def caches_folder(home: Path | None) -> Path:
    """Where caches of pixels lie: beside the copies of shards."""
    return cache_folder(home) / "pixels"


def allowance(cache: Path, share: float) -> int:
    """Bytes that `cache` and all beside it may hold: PARIBUS_CACHE_GIB, else `share` of what is free or theirs.

    In the latter case never less than `cache` holds: that the disk has filled since is no reason to decode again.
    """
    limit = cache_limit()
    if limit is not None:
        return limit
    return max(_size(cache), int(share * (_free(cache) + sum(map(_size, _caches(cache.parent))))))


def reserve(cache: Path, num_bytes: int, limit: int) -> None:
    """Make the folder `cache` with a file `PIXELS` of `num_bytes`, whose place on the disk is taken at once.

    Caches beside it that nobody uses are removed, the longest unused first, until all hold at most `limit` bytes.

    Raises:
        NoRoomError: they cannot.
    """
    with lock(cache.parent / "room"):
        cache.mkdir(exist_ok=True)
        try:
            _make_room(cache, num_bytes, limit)
            with (cache / PIXELS).open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, num_bytes)
        except NoRoomError:
            shutil.rmtree(cache)
            raise
        except OSError as error:
            shutil.rmtree(cache)
            raise _no_room(cache, num_bytes, limit, error.strerror or str(error)) from None


def hold(file: Path) -> BinaryIO:
    """The file, open, and marked as used now, and for as long as it stays open."""
    opened = file.open("rb")
    fcntl.flock(opened, fcntl.LOCK_SH)
    with suppress(PermissionError):  # another user's
        # The time of reading alone: that of writing tells whether the file was altered.
        os.utime(opened.fileno(), ns=(time.time_ns(), os.fstat(opened.fileno()).st_mtime_ns))
    return opened


def _make_room(cache: Path, num_bytes: int, limit: int) -> None:
    others = [other for other in _caches(cache.parent) if other != cache]
    others.sort(key=_last_used)
    while True:
        held = sum(map(_size, others))
        if num_bytes + held <= limit and _SPARE * num_bytes <= _free(cache) + _size(cache):
            return
        unused = next((other for other in others if _remove(other)), None)
        if unused is None:
            raise _no_room(cache, num_bytes, limit, "no other is unused")
        others.remove(unused)


def _remove(cache: Path) -> bool:
    """Whether the cache was removed; not while it is made or used."""
    with ExitStack() as stack:
        for path in (cache.parent / f".{cache.name}.lock", cache / PIXELS):
            try:
                fcntl.flock(stack.enter_context(open_plain(path)), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError:  # not there, or no plain file: nobody holds it
                continue
        shutil.rmtree(cache, ignore_errors=True)
    return True


def _caches(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _last_used(cache: Path) -> float:
    try:
        return (cache / PIXELS).stat().st_atime
    except OSError:
        return 0.0


def _size(cache: Path) -> int:
    """Bytes on the disk."""
    return sum(file.lstat().st_blocks * 512 for file in cache.iterdir()) if cache.is_dir() else 0


def _free(folder: Path) -> int:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return shutil.disk_usage(existing).free


def _no_room(cache: Path, num_bytes: int, limit: int, why: str) -> NoRoomError:
    return NoRoomError(
        f"the decoded pixels {cache} need {_mib(num_bytes)}; the caches there may hold {_mib(limit)} together, and "
        f"{_mib(_free(cache))} of the disk are free ({why}): make room, name another disk with {FOLDER}, raise "
        f"{LIMIT_GIB} where it is set, or let data.cache be 'never'"
    )


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f} MiB"
