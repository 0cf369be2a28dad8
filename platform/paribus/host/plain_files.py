"""Files that are read whole: plain ones alone, for a pipe of the same name would be waited for, and for ever."""

import json
import os
import stat
from errno import EINVAL
from pathlib import Path
from typing import Any, BinaryIO


def open_plain(path: Path) -> BinaryIO:
    """The plain file `path`, open for reading; OSError, at once, for a folder, a pipe or a device."""
    file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(EINVAL, "it is no plain file", str(path))
    return file


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def read_document(path: Path) -> Any:
    """The JSON document in the plain file `path`; OSError or ValueError where there is none, however it is damaged."""
    with open_plain(path) as file:
        return parsed(file.read())


def parsed(text: str | bytes) -> Any:
    """The JSON document `text`; ValueError for anything else, brackets too deep to follow included."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
