"""The first line of an outbox: a trial's record as its attempt begins, and what is known of the run that it goes to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from paribus.tracking.mlflow.runs import Run
from paribus.tracking.trials.record import Attempt, TrialRecord
from paribus.tracking.trials.stored import from_mlflow, to_mlflow, with_tags

if TYPE_CHECKING:
    from paribus.study.settings import Settings

OPENING = "header"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How an attempt begins.

    `settings` are those of the study run that the trial belongs to, None where the release that wrote it knew none.
    `is_new` says that the planner looked and the trial has no run yet; where that is not known, and the record names
    no run, the sender searches, which costs the server about 0.1 s.
    """

    record: TrialRecord
    settings: Settings | None = None
    is_new: bool = False


def opening_line(opening: Opening) -> dict[str, Any]:
    """What the outbox keeps: the tags and params as MLflow gets them, and beside them what is none of the trial's."""
    record, settings = opening.record, opening.settings
    run = to_mlflow(record)
    return {
        "kind": OPENING,
        "trial_id": record.trial_id,
        "run_id": "" if opening.is_new else record.run_id or None,
        "settings": settings.digest if settings else "",
        "settings_name": settings.name if settings else "",
        "started_ms": record.started_ms,
        "tags": dict(run.tags),
        "params": dict(run.params),
    }


def opening_of(line: dict[str, Any]) -> Opening:
    """The opening from its line, as this release writes it or an earlier one did."""
    from paribus.study.settings import Settings

    digest = str(line.get("settings") or "")
    return Opening(
        record=_of_earlier(line) if "arm" in line else _record(line),
        settings=Settings(digest, str(line.get("settings_name") or "")) if digest else None,
        is_new=line.get("run_id") == "",
    )


def _record(line: dict[str, Any]) -> TrialRecord:
    return from_mlflow(
        Run(
            run_id=line["run_id"] or "",
            experiment_id="",
            name="",
            status="RUNNING",
            start_ms=line["started_ms"],
            end_ms=0,
            artifact_uri="",
            tags=line["tags"],
            params=line["params"],
        )
    )


def _of_earlier(line: dict[str, Any]) -> TrialRecord:
    """From a line of 5885a4d or f3ce7c5, which had a field each for the arm and the attempt, and tags for the rest."""
    from paribus.study.words import Arm, level_from_json

    found = TrialRecord(
        trial_id=line["trial_id"],
        study=line["study"],
        arm=Arm(tuple((path, level_from_json(level)) for path, level in line["arm"])),
        arm_name=line["arm_name"],
        replicate=line["replicate"],
        run_id=line["run_id"] or "",
        attempt=line["attempt"],
        started_ms=line["started_ms"],
        params=line["params"],
    )
    told = with_tags(found, line["tags"])
    attempt = Attempt(
        resumed_step=line["resumed_step"], started_ms=told.started_ms, cpu=told.cpu, versions=told.versions
    )
    return replace(told, attempts={told.attempt: attempt})
