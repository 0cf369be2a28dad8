"""What the ledger would say of a trial that ended, for tests of what is concluded from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paribus.recipe import Recipe
from paribus.study import Arm, Study
from paribus.study.plan import Trial, trials
from paribus.tracking.trials.record import TrialRecord


def record_of(trial: Trial, **fields: Any) -> TrialRecord:
    """The record of a finished trial; `fields` are what is to be otherwise."""
    return ended(trial.arm, trial.replicate, **{"trial_id": trial.id, "study": "plan", **fields})


def ended(arm: Arm, replicate: int, **fields: Any) -> TrialRecord:
    """The record of a trial of a plan that is not at hand."""
    made: dict[str, Any] = {
        "run_id": "run",
        "trial_id": f"{arm.name}-{replicate}",
        "study": "",
        "arm": arm,
        "arm_name": arm.name,
        "replicate": replicate,
        "outcome": "finished",
        "interrupted": False,
        "status": "FINISHED",
        "attempt": 1,
        "attempts": {},
        "metrics": {},
        "latest": {},
        "params": {},
        "outcome_step": None,
        "num_steps": 8,
        "total_steps": 8,
        "reason": "",
        "started_ms": 0,
        "ended_ms": 1,
    }
    return TrialRecord(**{**made, **fields})


def digest(recipe: Recipe) -> str:
    """Of data that are nowhere."""
    return "the data"


def held(study: Study, told: Callable[[Trial], Any]) -> list[TrialRecord]:
    """The records of those trials of which `told` names an outcome ("running" for one that has none yet)."""
    drawn = [(trial, told(trial)) for trial in trials(study, digest)]
    return [record_of(trial, outcome=None if say == "running" else say) for trial, say in drawn if say]
