"""Later evaluations of a trial, kept with its run: with other crops, or without some examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paribus.tracking import tags as words
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import Metric, log_batch, now_ms

if TYPE_CHECKING:
    from paribus.tracking.ledger_records import TrialRecord


def record_evaluation(
    rest: MlflowRest, trial: TrialRecord, name: str, metrics: Mapping[str, float], document: Mapping[str, Any]
) -> None:
    """Log `metrics` as `NAME/<metric>` at the trial's last step, `document` as the tag `paribus.evaluation.NAME`."""
    points = [Metric(f"{name}/{key}", value, now_ms(), trial.num_steps) for key, value in metrics.items()]
    log_batch(rest, trial.run_id, points, tags={words.evaluation_tag(name): json.dumps(document)})
