"""`paribus init`: a folder of one's own, outside any checkout, with a study to change."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from paribus.host.home import FOLDER, is_project
from paribus.study import StudyError

STUDY = "mine.py"
_TEXT = '''#!/usr/bin/env python
"""Is a residual net better if it is twice as wide?  2 arms x 5 replicates, under one CPU-minute on digits."""

from paribus import Study, main

little = {"data.train_fraction": 0.2, "budget.amount": 20.0}  # on all of digits both reach the ceiling
study = Study(name="mine", factors={"model.width": (1.0, 2.0)}, fixed=little, replicates=5, margin=1.0)

if __name__ == "__main__":
    main(study)
'''


def register(subparsers: Any) -> None:
    """Add `init` to the command line's subparsers."""
    text = f"write a study of ten lines, {STUDY}, into a folder, where the other commands then find their ledger"
    parser = subparsers.add_parser(
        "init", help=text, description=f"{text[0].upper()}{text[1:]}.", epilog="example: paribus init widths"
    )
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="made if missing (default: here)")
    parser.set_defaults(run=lambda args: init(args.folder))


def init(name: str) -> int:
    """Make the folder a project, as `git init` does, and write the study; nothing that is there is changed.

    Raises:
        StudyError: it is a checkout, another user's, or holds a study of that name.
    """
    folder = Path(name).resolve()
    if (folder / "platform" / "paribus").is_dir():
        raise StudyError(f"{folder} is a checkout of Paribus, whose studies lie in studies/: name a folder of your own")
    _begin(folder)
    _write(folder / STUDY)
    print(
        f"{folder / STUDY}: a study to change. Data, checkpoints and the ledger of what is run in this folder, or below"
        f" it, will lie in {FOLDER}, which git passes over.\n\nnext{_into(folder)}:\n"
        f"  paribus plan {STUDY}          what would run, what it can detect, what it costs\n"
        f"  paribus run {STUDY}           run it here\n"
        f"  paribus up                    or start Ray, MLflow and the dashboard, and then\n"
        f"  paribus submit {STUDY}        run it there\n"
        f"  paribus report {STUDY} --html mine.html"
    )
    return 0


def _begin(folder: Path) -> None:
    made = folder / FOLDER
    made.mkdir(parents=True, exist_ok=True)
    if not is_project(folder) and folder != Path.home().resolve():
        raise StudyError(f"{made} belongs to another user, and so would your results: name a folder of your own")
    if not (made / ".gitignore").exists():
        (made / ".gitignore").write_text("*\n")


def _write(path: Path) -> None:
    """The study, executable, for `ray job submit` runs the file itself."""
    try:
        with path.open("x") as file:
            file.write(_TEXT)
            os.fchmod(file.fileno(), 0o755)
    except FileExistsError:
        raise StudyError(
            f"{path} is there already and stays as it is: run it, or name another folder (paribus init FOLDER)"
        ) from None


def _into(folder: Path) -> str:
    """How to get there; "" where we are there."""
    return "" if folder == Path.cwd().resolve() else f", after `cd {shlex.quote(os.path.relpath(folder))}`"
