"""Folders for the while of a process, cleared by a later one where their owner was killed.

The owner holds a lock (flock) on a file in its folder, which the system takes back however it ends. So it is known
whether it lives, also from another container, where its process id means nothing, and from another node on one file
system that passes locks on, as NFS does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_LOCK = "owner.lock"
# A folder without the file is just being made, or of a release that held none: it is not ours to judge for a while.
_UNKNOWN_S = 7 * 86400.0


class HeldFolder:
    """A new folder `place`/`prefix`XXXXXX, held until `release` or the end of this process and of `pass_fds` heirs."""

    def __init__(self, place: Path, prefix: str) -> None:
        clear_abandoned(place, prefix)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        # Under its name it is locked from the first moment on.
        draft = self.path / f"{_LOCK}.new"
        self.descriptor = os.open(draft, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        draft.rename(self.path / _LOCK)

    def release(self, *, remove: bool) -> None:
        """Let go of it: removed now, or left, for its logs, to the next one that is made in this place."""
        if remove:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.descriptor)


def clear_abandoned(place: Path, prefix: str) -> None:
    """Remove the folders below `place` that nobody holds any more."""
    for folder in place.glob(f"{prefix}*"):
        try:
            if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
                continue
            if _is_abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


def _is_abandoned(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return time.time() - folder.lstat().st_mtime > _UNKNOWN_S
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
