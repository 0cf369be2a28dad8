"""Where in a person's own files a fault of a study is, for a command and for a script that builds the study."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from pathlib import Path
from types import FrameType, TracebackType

_OURS = f"{Path(__file__).parents[1]}{os.sep}"
_NOT_THEIRS = (_OURS, sysconfig.get_path("stdlib"))
_WRONG = 2  # what a command that was told something wrong exits with


def frames(error: BaseException, path: str) -> traceback.StackSummary:
    """From the file inwards, without what lies in no file: import machinery, a dataclass's own `__init__`."""
    met = traceback.extract_tb(error.__traceback__)
    first = next((place for place, frame in enumerate(met) if frame.filename == path), len(met))
    return traceback.StackSummary.from_list([frame for frame in met[first:] if not frame.filename.startswith("<")])


def place(file: str, met: traceback.StackSummary) -> str:
    """The file, by the name that a person gave it, with the line that they wrote there."""
    return f"{file}, line {met[0].lineno}" if met else file


def sentence(error: BaseException, file: str, path: str) -> str:
    """An error of ours with the line of `path`, called `file`, and the last place of a person's own that led to it."""
    met = frames(error, path)
    # What follows that are frames of ours, which say nothing to them.
    last = next((frame for frame in reversed(met) if not frame.filename.startswith(_NOT_THEIRS)), None)
    beside = f"{last.filename}, line {last.lineno}: " if last and last.filename != path else ""
    return f"{place(file, met)}: {beside}{error}"


def end_script_in_a_sentence(error: BaseException, caller: FrameType | None) -> None:
    """If the script that Python was told to run builds the study and lets `error` pass, end it as a command ends.

    That is a sentence instead of a traceback, and exit code 2. Nothing changes in a notebook, at a prompt, for whoever
    catches the error, and for other errors.
    """
    path = _script(caller)
    if path is None:
        return
    before = sys.excepthook

    def hook(kind: type[BaseException], raised: BaseException, trace: TracebackType | None) -> None:
        if raised is not error:
            before(kind, raised, trace)
            return
        print(sentence(error, os.path.relpath(path), path), file=sys.stderr)
        raise SystemExit(_WRONG)

    sys.excepthook = hook


def _script(frame: FrameType | None) -> str | None:
    """The file that runs as a script, if the nearest code which is not ours is its; else None."""
    while frame is not None and frame.f_code.co_filename.startswith((_OURS, "<")):
        frame = frame.f_back
    if frame is None or frame.f_globals.get("__name__") != "__main__" or "__file__" not in frame.f_globals:
        return None
    return frame.f_code.co_filename
