"""From a ledger of an earlier release to one of this schema: what is replaced is kept, and can be put back."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from paribus.tracking import tags as words
from paribus.tracking.errors import LedgerError, LedgerUnreachable
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import Run, active_experiments, get_run, log_batch, search_runs
from paribus.tracking.schema import SCHEMA, schema_of, set_schema
from paribus.tracking.trials.stored import changes, from_mlflow, is_trial

# From a trial's old code and its recipe.json to the code that it has by this schema; None: it is not known.
Renew = Callable[[str, bytes], str | None]
_RECIPE_FILE = "recipe.json"


@dataclass
class Upgraded:
    """What was found and done: trials by what became of their code, studies that were given the schema's number."""

    renewed: int = 0
    unreadable: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    studies: list[str] = field(default_factory=list)


class Backup:
    """A file of one JSON object a line, each written to the disk before what it tells of is changed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, **line: str) -> None:
        """Write one line."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def lines(self) -> list[dict[str, str]]:
        """All lines, newest first. LedgerError where the file is not there or not such a one."""
        try:
            found = [json.loads(line) for line in self.path.read_text().splitlines()]
        except (OSError, ValueError) as error:
            raise LedgerError(f"{self.path} is no backup that `paribus ledger upgrade` wrote: {error}") from None
        if not all(isinstance(line, dict) and {"tag", "old", "new"} <= line.keys() for line in found):
            raise LedgerError(f"{self.path} is no backup that `paribus ledger upgrade` wrote: other lines are in it")
        return found[::-1]


def upgrade(
    rest: MlflowRest, known: Iterable[str], renew: Renew, backup: Backup, told: Callable[[str, int, int], object]
) -> Upgraded:
    """Give every trial whose code is among `known` the code that `renew` finds, and every study the schema's number.

    Safe to repeat and to interrupt: what is done already is found done. `told` hears (study, trials seen, trials).
    """
    found, old_codes = Upgraded(), frozenset(known)
    for experiment in active_experiments(rest):
        name, experiment_id = str(experiment["name"]), str(experiment["experiment_id"])
        runs = [run for run in search_runs(rest, [experiment_id]) if is_trial(run)]
        for at, run in enumerate(runs, 1):
            _renew(rest, run, old_codes, renew, backup, found)
            told(name, at, len(runs))
        if runs and schema_of(experiment) < SCHEMA:
            old = str(schema_of(experiment))
            backup.add(experiment=experiment_id, tag=words.SCHEMA, old=old, new=str(SCHEMA))
            set_schema(rest, experiment_id, SCHEMA)
            found.studies.append(name)
    return found


def _renew(rest: MlflowRest, run: Run, known: frozenset[str], renew: Renew, backup: Backup, found: Upgraded) -> None:
    trial = from_mlflow(run)
    old = trial.code
    if old not in known:
        found.kept[old] += 1
        return
    try:
        new = renew(old, rest.get_artifact(run.artifact_uri, _RECIPE_FILE))
    except LedgerUnreachable:
        raise
    except LedgerError:
        new = None
    if new is None:
        found.unreadable += 1
        return
    if new == old:  # it is of the last of these releases
        found.kept[old] += 1
        return
    renewed = changes(trial, replace(trial, code=new))
    for tag, text in renewed.items():
        backup.add(run=run.run_id, tag=tag, old=old, new=text)
    log_batch(rest, run.run_id, tags=renewed)
    found.renewed += 1


def restore(rest: MlflowRest, backup: Backup) -> int:
    """Put back what an upgrade replaced and nobody has changed since; the number of trials."""
    count = 0
    for line in backup.lines():
        if "experiment" in line:
            set_schema(rest, line["experiment"], int(line["old"]))
        elif get_run(rest, line["run"]).tags.get(line["tag"]) == line["new"]:
            log_batch(rest, line["run"], tags={line["tag"]: line["old"]})
            count += 1
    return count
