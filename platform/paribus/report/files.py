"""Files that a report is written to: their place is looked at before the work, and they appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from paribus.study import StudyError


def check_place(path: Path) -> None:
    """StudyError where a report cannot be written to `path`, found out by writing an empty file beside it."""
    try:
        if path.is_dir():
            raise StudyError(f"{str(path)!r} is a folder: name a file to write the report to")
        if path.exists() and not path.is_file():
            raise StudyError(f"{str(path)!r} is no plain file: name one to write the report to")
        descriptor, name = _beside(path)
        os.close(descriptor)
        os.unlink(name)
    except OSError as error:
        raise _refusal(path, error) from None


def write_whole(path: Path, text: str) -> Path:
    """Write `text` to `path`, which appears or changes in one step; a fault leaves what was there before.

    Raises:
        StudyError: it cannot be written.
    """
    # What links point to is replaced, not the link.
    target = Path(os.path.realpath(path))
    name = None
    try:
        descriptor, name = _beside(path)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is its owner's alone; a page to send around has the rights of any new file.
        os.chmod(name, target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        os.replace(name, target)
    except OSError as error:
        if name is not None:
            Path(name).unlink(missing_ok=True)
        raise _refusal(path, error) from None
    return path


def _beside(path: Path) -> tuple[int, str]:
    """A new file in the folder of `path`, whose own name is tried too: one of 300 letters is no name."""
    with suppress(FileNotFoundError):
        path.stat()
    target = Path(os.path.realpath(path))
    return tempfile.mkstemp(prefix=".paribus-", suffix=".partial", dir=target.parent)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _refusal(path: Path, error: OSError) -> StudyError:
    if not os.path.isdir(path.parent):  # unlike a Path's, of a name that is too long it says no
        what = f"there is no folder {str(path.parent)!r}"
    else:
        what = error.strerror or str(error)
    return StudyError(
        f"the report cannot be written to {str(path)!r}: {what}; name a file in a folder that you may write"
    )
