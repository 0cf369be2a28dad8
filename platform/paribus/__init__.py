"""Paribus: ablation studies on convolutional image classifiers that end in a number, an interval and a verdict.

A study is data; what is done with one is called here: `main(study)` at the end of its file, the others in a notebook.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paribus.recipe import Recipe, preset
from paribus.study import Adaptive, Choice, Claim, Float, Int, Search, Study, Tuning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paribus.commands.answer import Answer

__all__ = [
    "Adaptive",
    "Choice",
    "Claim",
    "Float",
    "Int",
    "Recipe",
    "Search",
    "Study",
    "Tuning",
    "main",
    "plan",
    "preset",
    "run",
    "status",
    "verdicts",
]


def main(study: Study | Search, arguments: Sequence[str] | None = None) -> None:
    """The study file as a command: `plan`, `run` (also with no verb), `status`, `report`, `retry`, `export`.

    In a notebook or at a prompt, where the arguments of the process are not the person's, it runs the study unless
    it is given some, and comes back; `run` and `verdicts` give objects there.

    Raises:
        SystemExit: with the command's exit code, unless a person works in this process.
    """
    from paribus.commands import calls

    calls.main(study, arguments)


def plan(study: Study | Search, **options: Any) -> Answer:
    """What `run` would do, what it can detect and what it costs; trains nothing. Options as in `paribus plan --help`.

    Raises:
        StudyError: an option that the verb has not.
    """
    return _answer(study, "plan", options)


def run(study: Study | Search, **options: Any) -> Answer:
    """Complete the study, and give what `verdicts` gives; `code` is 0 if every trial has a result."""
    return _answer(study, "run", options)


def status(study: Study | Search, **options: Any) -> Answer:
    """How far the study is, a row a trial."""
    return _answer(study, "status", options)


def verdicts(study: Study | Search, **options: Any) -> Answer:
    """What `paribus report` prints: effects with intervals, verdicts, the claim; `html="FILE"` writes one page."""
    return _answer(study, "report", options)


def _answer(study: Study | Search, verb: str, options: dict[str, Any]) -> Answer:
    from paribus.commands import calls

    return calls.answer(study, verb, options)
