"""Where Paribus keeps what it makes on this machine: data, checkpoints, the outbox, the local ledger."""

import errno
import os
from pathlib import Path

# What a place, rather than our code, is to blame for.
_PLACE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ENOSPC),
    *(errno.EDQUOT, errno.ELOOP),
)


class HomeError(RuntimeError):
    """The place that PARIBUS_HOME names, or that was chosen, cannot hold what Paribus makes."""


def home() -> Path:
    """PARIBUS_HOME; else `.paribus` in the checkout around the working directory; else `~/.paribus`.

    Raises:
        HomeError: something is there, or on the way there, that is no folder.
    """
    folder = _chosen()
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
    except OSError as error:
        raise HomeError(_sentence(folder, error)) from None
    if not there.is_dir():
        raise HomeError(f"PARIBUS_HOME={folder}: {there} is no folder. Name one, or unset it")
    return folder


def place_fault(error: OSError) -> str:
    """What to tell a person of an error that the home is to blame for (read-only, full, no folder); "" for another."""
    folder = _chosen()
    named = error.filename
    if not isinstance(named, (str, os.PathLike)) or not Path(named).is_relative_to(folder):
        return ""
    if error.errno in _PLACE or (error.errno == errno.ENOENT and not folder.exists()):
        return _sentence(folder, error)
    return ""


def _chosen() -> Path:
    if named := os.environ.get("PARIBUS_HOME"):
        try:
            return Path(named).expanduser().resolve()
        except RuntimeError as error:  # ~somebody who is nobody here
            raise HomeError(f"PARIBUS_HOME={named}: {error}. Name a folder, or unset it") from None
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "platform" / "paribus").is_dir():
            return folder / ".paribus"
    return Path.home() / ".paribus"


def _sentence(folder: Path, error: OSError) -> str:
    where = "" if error.filename is None or Path(error.filename) == folder else f": {error.filename}"
    return (
        f"{folder}, where data, checkpoints and the ledger are kept, cannot be used ({error.strerror}{where}): "
        "set PARIBUS_HOME to a folder of yours with some room"
    )
