"""Where a person works, and where Paribus keeps what it makes there: data, checkpoints, outbox, local ledger."""

import contextlib
import errno
import os
from pathlib import Path

# What a place, rather than our code, is to blame for.
_PLACE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ENOSPC),
    *(errno.EDQUOT, errno.ELOOP),
)


# Inside the folder of a project, and of a user without one. `paribus init` makes it, as `git init` makes `.git`.
FOLDER = ".paribus"
_PACKAGE = Path(__file__).resolve().parents[1]


class HomeError(RuntimeError):
    """The place that PARIBUS_HOME names, or that was chosen, cannot hold what Paribus makes."""


def home(place: Path | None = None) -> Path:
    """PARIBUS_HOME; else `.paribus` in the project around the working directory; else `~/.paribus`.

    Around `place` instead, where one is given.

    Raises:
        HomeError: something is there, or on the way there, that is no folder.
    """
    folder = _chosen(place)
    try:
        there = next(place for place in (folder, *folder.parents) if place.exists())
    except OSError as error:
        raise HomeError(_sentence(folder, error)) from None
    if not there.is_dir():
        raise HomeError(f"PARIBUS_HOME={folder}: {there} is no folder. Name one, or unset it")
    return folder


def private_folder(folder: Path) -> Path:
    """Make `folder` for this user alone (0700), or close to others one of this user's that is there.

    One that its group may write to is shared on purpose, and stays as it is.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.stat()
    if state.st_uid == os.getuid() and state.st_mode & 0o077 and not state.st_mode & 0o020:
        with contextlib.suppress(OSError):  # a file system without modes
            folder.chmod(state.st_mode & 0o7700)
    return folder


def project(place: Path | None = None) -> Path | None:
    """The nearest folder around the working directory that is a checkout or was made a project by `paribus init`.

    Around `place` instead, where one is given.
    """
    here = (place or Path.cwd()).resolve()
    return next((folder for folder in (here, *here.parents) if is_project(folder)), None)


def is_project(folder: Path) -> bool:
    """A checkout, or a folder with a `.paribus` of this user.

    That of another user says nothing, or whoever may write to /tmp could have us keep our results with him; nor does
    the one in the user's own folder, where everything lies that belongs to no project.
    """
    if (folder / "platform" / "paribus").is_dir():
        return True
    made = folder / FOLDER
    try:
        return made.is_dir() and made.stat().st_uid == os.getuid() and folder != Path.home().resolve()
    except OSError:
        return False


def checkout() -> Path | None:
    """The checkout that this package runs from; None where a wheel brought it."""
    return _PACKAGE.parents[1] if _PACKAGE.parent.name == "platform" else None


def lock() -> Path:
    """The versions that this package is tested with, pinned: a file of the checkout, and of the wheel."""
    return _PACKAGE / "requirements.lock"


def place_fault(error: OSError) -> str:
    """What to tell a person of an error that the home is to blame for (read-only, full, no folder); "" for another."""
    folder = _chosen()
    named = error.filename
    if not isinstance(named, (str, os.PathLike)) or not Path(named).is_relative_to(folder):
        return ""
    if error.errno in _PLACE or (error.errno == errno.ENOENT and not folder.exists()):
        return _sentence(folder, error)
    return ""


def _chosen(place: Path | None = None) -> Path:
    if named := os.environ.get("PARIBUS_HOME"):
        try:
            return Path(named).expanduser().resolve()
        except RuntimeError as error:  # ~somebody who is nobody here
            raise HomeError(f"PARIBUS_HOME={named}: {error}. Name a folder, or unset it") from None
    return (project(place) or Path.home()) / FOLDER


def _sentence(folder: Path, error: OSError) -> str:
    where = "" if error.filename is None or Path(error.filename) == folder else f": {error.filename}"
    return (
        f"{folder}, where data, checkpoints and the ledger are kept, cannot be used ({error.strerror}{where}): "
        "set PARIBUS_HOME to a folder of yours with some room"
    )
