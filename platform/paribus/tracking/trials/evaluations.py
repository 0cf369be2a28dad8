"""Later evaluations of a trial, kept with its run: with other crops, or without some examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import Metric, log_batch, now_ms
from paribus.tracking.trials.stored import changes

if TYPE_CHECKING:
    from paribus.tracking.trials.record import TrialRecord


def record_evaluation(
    rest: MlflowRest, trial: TrialRecord, name: str, metrics: Mapping[str, float], document: Mapping[str, Any]
) -> None:
    """Log `metrics` as `NAME/<metric>` at the trial's last step, `document` as the tag `paribus.evaluation.NAME`."""
    points = [Metric(f"{name}/{key}", value, now_ms(), trial.num_steps) for key, value in metrics.items()]
    kept = replace(trial, evaluations={**trial.evaluations, name: document})
    log_batch(rest, trial.run_id, points, tags=changes(trial, kept))
