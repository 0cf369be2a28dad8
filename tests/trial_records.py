"""What the ledger would say of a trial that ended, for tests of what is concluded from it."""

from __future__ import annotations

from typing import Any

from paribus.study import Arm
from paribus.study.plan import Trial
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
