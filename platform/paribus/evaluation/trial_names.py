"""Which trial of the ledger a person means by a word on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.tracking import LedgerError

if TYPE_CHECKING:
    from paribus.tracking.ledger import Ledger
    from paribus.tracking.trials.record import TrialRecord

BEST = "best"
SHORT_ID = 12
_FEWEST_DIGITS = 4
_RUN_ID_DIGITS = 32
_LISTED = 8


class TrialError(ValueError):
    """A word that names no trial or several, or a trial that cannot be evaluated; the message says what to do."""


def find_trial(ledger: Ledger, word: str) -> TrialRecord:
    """The trial that `word` names.

    It is the beginning of a trial's id (4 digits or more), an MLflow run's id, `STUDY:best` (the finished trial of the
    highest top-1), or `STUDY:RUN` with the run's name as MLflow shows it. STUDY is a study's name or its file.

    Raises:
        TrialError: no trial or several; it names the nearest, or all of them.
    """
    study, colon, name = word.partition(":")
    if colon:
        return _of_study(ledger, study, name)
    digits = word.lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_FEWEST_DIGITS},64}}", digits):
        raise TrialError(
            f"{word!r} names no trial: give the beginning of a trial's id ({_FEWEST_DIGITS} hexadecimal digits or "
            f"more), an MLflow run's id, STUDY:{BEST} or STUDY:RUN, as in 'width:{BEST}'"
        )
    if len(digits) == _RUN_ID_DIGITS and (found := _by_run(ledger, digits)):
        return found
    fitting = ledger.trials_of_all(digits)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise TrialError(f"{word!r} begins the ids of {len(fitting)} trials: {_listed(fitting)}. Give more digits")
    raise TrialError(f"no trial's id begins with {word!r}{_nearest_ids(ledger, digits)}")


def describe(trial: TrialRecord) -> str:
    """`3f9a0c1b2d4e (width, k=4 · r2)`."""
    return f"{trial.trial_id[:SHORT_ID]} ({trial.study}, {run_name(trial)})"


def run_name(trial: TrialRecord) -> str:
    """`k=4 · r2`, as MLflow and the reports name it."""
    return f"{trial.arm_name} · r{trial.replicate}"


def _by_run(ledger: Ledger, run_id: str) -> TrialRecord | None:
    try:
        return ledger.trial(run_id)
    except LedgerError as error:
        if error.status == 404:
            return None
        raise


def _of_study(ledger: Ledger, study: str, name: str) -> TrialRecord:
    trials = ledger.trials(_study_name(study))
    if not trials:
        known = list(dict.fromkeys(record.name for record in ledger.studies()))
        raise TrialError(f"the ledger has no trials of a study {study!r}: {_nearest(study, known, 'studies')}")
    if name != BEST:
        named = [trial for trial in trials if _plain(run_name(trial)) == _plain(name)]
        if len(named) == 1:
            return named[0]
        if named:
            raise TrialError(
                f"{len(named)} trials of the study {study!r} are called {name!r}, with other settings: "
                f"{_listed(named)}. Give an id"
            )
        nearest = _nearest(name, list(map(run_name, trials)), "trials")
        raise TrialError(f"the study {study!r} has no trial {name!r}: {nearest}")
    finished = [trial for trial in trials if trial.outcome == "finished" and "top1" in trial.metrics]
    if not finished:
        raise TrialError(f"no trial of the study {study!r} has finished yet: see `paribus status`")
    return max(finished, key=lambda trial: (trial.metrics["top1"], trial.metrics.get("log_likelihood", 0.0)))


def _study_name(study: str) -> str:
    if not study.endswith(".py"):
        return study
    from paribus.study.study_file import load_study

    return load_study(Path(study).as_posix()).name


def _plain(name: str) -> str:
    return re.sub(r"[\s·]", "", name)


def _nearest(wrong: str, known: Sequence[str], what: str) -> str:
    if not known:
        return f"it has no {what}"
    close = get_close_matches(wrong, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"its {what} are {', '.join(known[:_LISTED])}{more}"


def _nearest_ids(ledger: Ledger, digits: str) -> str:
    everything = ledger.trials_of_all()
    if not everything:
        return ": the ledger has no trials yet"
    by_beginning = {trial.trial_id[: len(digits)]: trial for trial in everything}
    close = get_close_matches(digits, by_beginning, n=1, cutoff=0.5)
    if close:
        return f": the nearest of {len(everything)} is {describe(by_beginning[close[0]])}"
    examples = ", ".join(map(describe, everything[:2]))
    return f": the ledger has {len(everything)} trials, such as {examples}; `paribus export` lists those of a study"


def _listed(trials: Sequence[TrialRecord]) -> str:
    more = f" and {len(trials) - _LISTED} more" if len(trials) > _LISTED else ""
    return ", ".join(map(describe, trials[:_LISTED])) + more
