"""What people note on a study or a trial: kept in MLflow, in the description of its run, where it can be edited too.

A trial's description is its note. A study's is written by its driver; the note stands below it, under a heading.
"""

from __future__ import annotations

from typing import Final

from paribus.tracking import tags as words
from paribus.tracking.errors import LedgerError
from paribus.tracking.mlflow.limits import TAG_LENGTH, cut_text
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import Run, get_run, log_batch
from paribus.tracking.trials.stored import is_trial

MOST_CHARACTERS: Final = 2_000
_HEAD: Final = "\n\n## What people noted\n\n"


def note_in(description: str) -> str:
    """The note in a study's description; "" where there is none."""
    return description.partition(_HEAD)[2].strip()


def with_note(description: str, note: str) -> str:
    """A study's description with that note instead of the one that it has; of a long one the note is what stays."""
    own, note = description.partition(_HEAD)[0], note.strip()
    return f"{cut_text(own, TAG_LENGTH - len(_HEAD) - len(note))}{_HEAD}{note}" if note else own


def note_of(run: Run) -> str:
    """The note on a trial's or a study's run."""
    return run.description.strip() if is_trial(run) else note_in(run.description)


def keep_note(rest: MlflowRest, run_id: str, note: str) -> None:
    """Note that on the run of a study or a trial instead of what was noted before; "" takes the note away.

    Raises:
        LedgerError: it is longer than `MOST_CHARACTERS`, or MLflow does not take it.
    """
    note = note.strip()
    if len(note) > MOST_CHARACTERS:
        raise LedgerError(f"The note has {len(note):,} characters: shorten it to {MOST_CHARACTERS:,} or fewer.")
    run = get_run(rest, run_id)
    text = note if is_trial(run) else with_note(run.description, note)
    log_batch(rest, run_id, tags={words.NOTE: text})
