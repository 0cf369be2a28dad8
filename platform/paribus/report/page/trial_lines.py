"""One trial as a page embeds it: all that is judged and counted of it, and no more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from paribus.metrics.known import METRICS
from paribus.report.study_report import TrialRow
from paribus.study.words import Arm
from paribus.tracking.mlflow.runs import Latest
from paribus.tracking.trials.record import Attempt, TrialRecord

# What of a trial's numbers enters a verdict, a table or the cost.
_WEIGHTS = 16  # digits of a digest that only has to tell trainings apart
_NUMBERS = (*METRICS, "train_loss", "num_params", "flops", "total_s", "gpu_s")


def as_line(row: TrialRow, arms: Sequence[Arm], own: Sequence[str]) -> dict[str, Any]:
    """A trial that has a run; `arms` are numbered by their place, `own` are metrics of the study's own."""
    record = row.record
    assert record is not None
    names = [*dict.fromkeys((*_NUMBERS, *own))]
    newest = record.attempts.get(max(record.attempts, default=0))
    optional = {
        "state": row.state if row.state != record.outcome else "",
        "ended_ms": 0 if newest is not None and newest.ended_ms else record.ended_ms,
        "step": record.outcome_step,
        "reason": record.reason,
        "weights": record.weights[:_WEIGHTS],
        "gpus": record.params.get("resources.gpus", ""),
        "last_ms": 0 if record.outcome else max((point.time_ms for point in record.latest.values()), default=0),
        "attempts": [[n, one.started_ms, one.ended_ms, one.outcome] for n, one in sorted(record.attempts.items())],
    }
    return {
        "id": row.trial_id,
        "arm": list(arms).index(row.arm),
        "replicate": row.replicate,
        "outcome": record.outcome,
        "metrics": {name: _as_json(record.metrics[name]) for name in names if name in record.metrics},
        "steps": record.num_steps,
        "run": [record.experiment_id, record.run_id],
        **{name: value for name, value in optional.items() if value not in (None, "", 0, [])},
    }


def as_row(line: Mapping[str, Any], arms: Sequence[Arm], study: str, uri: str, scale: float) -> TrialRow:
    """What `as_line` wrote, its metrics times `scale`. Raises KeyError, TypeError or ValueError for anything else."""
    arm, run = arms[line["arm"]], line["run"]
    attempts = {
        int(number): Attempt(started_ms=started, ended_ms=ended, outcome=outcome)
        for number, started, ended, outcome in line.get("attempts", [])
    }
    last_ms = line.get("last_ms", 0)
    record = TrialRecord(
        trial_id=line["id"],
        study=study,
        arm=arm,
        arm_name=arm.name,
        replicate=line["replicate"],
        experiment_id=run[0],
        run_id=run[1],
        uri=uri,
        ended_ms=line.get("ended_ms", 0),
        params={"resources.gpus": line["gpus"]} if "gpus" in line else {},
        latest={"": Latest(step=0, value=0.0, time_ms=last_ms)} if last_ms else {},
        attempt=max(attempts, default=1),
        attempts=attempts,
        outcome=line["outcome"],
        metrics={name: scale * _as_number(value) for name, value in line["metrics"].items()},
        outcome_step=line.get("step"),
        num_steps=line["steps"],
        reason=line.get("reason", ""),
        weights=line.get("weights", ""),
    )
    return TrialRow(
        trial_id=record.trial_id,
        arm=arm,
        replicate=record.replicate,
        state=line.get("state", line["outcome"]),
        record=record,
    )


def _as_json(value: float) -> float | str:
    """JSON has no infinity."""
    return value if math.isfinite(value) else str(value)


def _as_number(value: float | str) -> float:
    return float(value)
