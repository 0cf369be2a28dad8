"""The verbs called in Python: by a study file, in a notebook, in a script."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from paribus.commands.answer import Answer
from paribus.commands.main import study_answer, study_main
from paribus.study import Study, StudyError
from paribus.study.searches.search import Search
from paribus.study.study_file import READING
from paribus.study.words import printable, question_of


def main(study: Study | Search, arguments: Sequence[str] | None) -> None:
    """`paribus.main`."""
    asked = _asked(study, "main")
    if not _is_interactive():
        sys.exit(study_main(asked, sys.argv[1:] if arguments is None else arguments))
    with suppress(SystemExit):  # argparse has said what was wrong, or has shown its help
        study_main(asked, arguments or ())


def answer(study: Study | Search, verb: str, options: dict[str, Any]) -> Answer:
    """What `verb` finds; `options` are those of the command, by name."""
    return study_answer(_asked(study, verb), verb, options)


def _asked(study: Study | Search, verb: str) -> Study | Search:
    """The study with a question, unless a command just reads its file."""
    if not isinstance(study, (Study, Search)):
        raise StudyError(f"{verb}({study!r}): it takes a Study or a Search")
    if READING.get():
        raise StudyError(f'{verb}(study) is called while the file is read: put it below `if __name__ == "__main__":`')
    return study if study.question else replace(study, question=_docstring_question() or study.name)


def _is_interactive() -> bool:
    """Whether a person works in this process: a notebook's kernel, IPython, or Python's own prompt."""
    if hasattr(sys.modules["__main__"], "__file__"):  # a file is run, if by `%run`
        return False
    return hasattr(builtins, "__IPYTHON__") or hasattr(sys, "ps1")


def _docstring_question() -> str:
    script = sys.modules["__main__"]
    if not hasattr(script, "__file__"):  # a notebook's docstring is IPython's
        return ""
    return question_of(script.__doc__) or printable(os.path.basename(sys.argv[0]))
