"""Whole shards on the node's own disk, named by their SHA-256, shared by all of its processes, bounded in size."""

import fcntl
import os
import shutil
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from paribus.errors import DataError
from paribus.host.home import home as default_home
from paribus.host.plain_files import open_plain

FOLDER, LIMIT_GIB = "PARIBUS_CACHE", "PARIBUS_CACHE_GIB"
Download = Callable[[BinaryIO], None]
_PARTIAL = ".partial"
_POLL_S = 0.05


class NodeCache:
    """Copies of shards in `folder`, of at most `limit` bytes together with those that are being downloaded.

    Processes meet in the kernel's file locks alone, so one that is killed blocks nobody: who downloads a shard holds
    the lock of its partial file, who reads one shares the lock of the copy, and room is given out under the lock of
    the folder. Copies are dropped when room is needed: first those that nobody reads, among them first the one whose
    last opening is longest ago. One that is dropped under a reader stays readable to it, and its disk is free when
    the reader closes it.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder, limit

    def open(
        self, sha256: str, num_bytes: int, download: Download, cancelled: threading.Event | None = None
    ) -> BinaryIO:
        """The shard `sha256` of `num_bytes`, open for reading; where it is not here, `download` writes and checks it.

        Raises:
            DataError: it did not come, or there is no room for it.
            CancelledError: `cancelled` was set while waiting.
        """
        cancelled = cancelled or threading.Event()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            while True:
                if held := self._held(sha256, num_bytes):
                    return held
                if partial := self._claim(sha256):
                    with partial:
                        if held := self._fill(partial, sha256, num_bytes, download, cancelled):
                            return held
                else:
                    _pause(cancelled)
        except OSError as error:
            raise self._no_room(num_bytes, error.strerror or str(error)) from None

    def forget(self, sha256: str, opened: BinaryIO) -> None:
        """Drop the copy that is `opened`, because its bytes have changed on disk; never one that has replaced it."""
        path = self.folder / sha256
        if _is_at(opened, path):
            path.unlink(missing_ok=True)

    def num_bytes(self) -> int:
        """Bytes of all complete copies."""
        return sum(size for _, size, _ in self._copies())

    def _held(self, sha256: str, num_bytes: int) -> BinaryIO | None:
        """The complete copy, marked as read and as opened now; None if there is none."""
        try:
            file = open_plain(self.folder / sha256)
        except FileNotFoundError:
            return None
        if os.fstat(file.fileno()).st_size != num_bytes:
            with file:
                self.forget(sha256, file)
            return None
        # Not to be had at the moment in which it is dropped: it can be read all the same.
        _lock(file, fcntl.LOCK_SH)
        with suppress(PermissionError):  # another user's copy may be read, not marked
            os.utime(file.fileno())
        return file

    def _claim(self, sha256: str) -> BinaryIO | None:
        """The shard's partial file, locked; None if somebody else has it."""
        path = self.folder / (sha256 + _PARTIAL)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
        # Between opening and locking, its holder may have finished and renamed it, or another swept it away.
        if _lock(file, fcntl.LOCK_EX) and _is_at(file, path):
            return file
        file.close()
        return None

    def _fill(
        self, partial: BinaryIO, sha256: str, num_bytes: int, download: Download, cancelled: threading.Event
    ) -> BinaryIO | None:
        """Download into the claimed `partial` and rename it; None if the shard was finished before it was claimed."""
        path, complete = self.folder / (sha256 + _PARTIAL), self.folder / sha256
        try:
            if complete.exists():
                return None
            partial.truncate(0)
            while not self._reserve(partial, num_bytes):
                _pause(cancelled)
            download(partial)
            partial.flush()
            # Else a power cut could leave a file of the right name and length without its bytes.
            os.fdatasync(partial.fileno())
            path.rename(complete)
            # From writer to reader without a moment in which nobody holds it.
            fcntl.flock(partial, fcntl.LOCK_SH)
            return self._held(sha256, num_bytes)
        finally:
            if _is_at(partial, path):
                path.unlink()

    def _reserve(self, partial: BinaryIO, num_bytes: int) -> bool:
        """Give `partial` its length on disk before a byte is asked for; False while downloads hold all the room."""
        if num_bytes > self.limit:
            raise DataError(
                f"the node cache {self.folder} may hold {_mib(self.limit)}, and one shard has {_mib(num_bytes)}: "
                f"raise {LIMIT_GIB}"
            )
        # To read and write: opening a pipe of that name to write alone would wait for ever.
        with os.fdopen(os.open(self.folder / ".room", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)) as room:
            fcntl.flock(room, fcntl.LOCK_EX)
            if not self._make_room(num_bytes):
                return False
            os.posix_fallocate(partial.fileno(), 0, num_bytes)
        return True

    def _make_room(self, num_bytes: int) -> bool:
        """Drop copies until `num_bytes` fit; False if they will once a download of somebody else has ended."""
        # In this order: a download that ends between the two is counted twice, not never.
        coming = self._coming()
        copies = self._copies()
        held = coming + sum(size for _, size, _ in copies)
        excess = held + num_bytes - min(self.limit, held + shutil.disk_usage(self.folder).free)
        for under_readers in (False, True):
            for _, size, path in copies:
                if excess > 0 and _drop(path, under_readers):
                    excess -= size
                    if under_readers:
                        self._warn()
        if excess > 0 and not coming:
            raise self._no_room(num_bytes, "the disk is full")
        return excess <= 0

    def _copies(self) -> list[tuple[int, int, Path]]:
        """(when last opened, bytes, path) of each complete copy, the longest unopened first."""
        found = []
        for path in self.folder.iterdir():
            if not path.name.startswith(".") and path.suffix != _PARTIAL:
                with suppress(FileNotFoundError):  # dropped since it was listed
                    status = path.stat()
                    found.append((status.st_mtime_ns, status.st_size, path))
        return sorted(found)

    def _coming(self) -> int:
        """Bytes that downloads hold; what killed ones left behind is removed."""
        total = 0
        for path in self.folder.glob(f"*{_PARTIAL}"):
            with suppress(FileNotFoundError), path.open("rb") as file:  # else its holder has just ended
                if not _lock(file, fcntl.LOCK_EX):
                    total += os.fstat(file.fileno()).st_size
                elif _is_at(file, path):
                    path.unlink()
        return total

    def _warn(self) -> None:
        warnings.warn(
            f"the node cache {self.folder} may hold {_mib(self.limit)}, less than is being read at one time, so shards "
            f"will be downloaded again: raise {LIMIT_GIB}, or lower data.shuffle_shards",
            stacklevel=2,
        )

    def _no_room(self, num_bytes: int, what: str) -> DataError:
        try:
            free = f"{_mib(shutil.disk_usage(self.folder).free)} free"
        except OSError:
            free = "no such folder"
        return DataError(
            f"the node cache {self.folder} cannot take a shard of {_mib(num_bytes)} ({what}; {free}): make room there, "
            f"name another disk with {FOLDER}, or bound the cache with {LIMIT_GIB}"
        )


def cache_folder(home: Path | None = None) -> Path:
    """Where this node keeps what can be fetched or made again: PARIBUS_CACHE, else `home`/cache."""
    named = os.environ.get(FOLDER)
    folder = Path(named).expanduser().absolute() if named else (home or default_home()) / "cache"
    try:
        folder.exists()
    except OSError as error:
        raise DataError(f"{FOLDER if named else 'the cache'} is {str(folder)!r}: {error.strerror}") from None
    return folder


def cache_limit() -> int | None:
    """PARIBUS_CACHE_GIB in bytes; None if it is not set; DataError if it is not a number above 0."""
    said = os.environ.get(LIMIT_GIB)
    if said is None:
        return None
    try:
        limit = float(said)
    except ValueError:
        limit = 0.0
    if not 0 < limit < 2**33:
        raise DataError(f"{LIMIT_GIB} is {said!r}: it must be a number of GiB above 0, or not be set")
    return int(limit * 2**30)


def node_cache(home: Path | None = None) -> NodeCache:
    """The shards of this node: in `shards` of its cache folder, of at most PARIBUS_CACHE_GIB.

    Without that they may take half of what was free, they themselves counted, when this process first asked.
    """
    return _node_cache(cache_folder(home) / "shards", cache_limit())


@cache
def _node_cache(folder: Path, limit: int | None) -> NodeCache:
    if limit is None:
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        held = NodeCache(folder, 0).num_bytes() if existing == folder else 0
        limit = (shutil.disk_usage(existing).free + held) // 2
    return NodeCache(folder, limit)


def _pause(cancelled: threading.Event) -> None:
    if cancelled.wait(_POLL_S):
        raise CancelledError


def _lock(file: BinaryIO, kind: int) -> bool:
    """Whether the lock could be had without waiting."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether `path` still names the open `file`."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _drop(path: Path, under_readers: bool) -> bool:
    """Whether the copy was removed; not while somebody reads it, unless `under_readers`."""
    try:
        with path.open("rb") as file:
            if not _lock(file, fcntl.LOCK_EX) and not under_readers:
                return False
            path.unlink()
    except FileNotFoundError:
        return False
    return True


def _mib(num_bytes: int) -> str:
    return f"{num_bytes / 2**20:,.1f} MiB"
