"""Learning curves out of MLflow, which can't delete points: each step's value from the attempt that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from paribus.tracking.mlflow.rest import Json, MlflowRest
from paribus.tracking.mlflow.runs import number
from paribus.tracking.trials.record import ATTEMPT_METRIC, TrialRecord

_RUNS_PER_REQUEST = 100
_POINTS_PER_PAGE = 10_000


class Point(NamedTuple):
    """One value of a metric after `step` training steps."""

    step: int
    value: float
    time_ms: int
    attempt: int


def read_histories(rest: MlflowRest, trials: Sequence[TrialRecord], key: str) -> dict[str, list[Point]]:
    """Run id to the points of metric `key`, cut by attempt.

    Trials of one attempt are read 100 to a request, which gives at most 2,500 points each, evenly sampled.
    """
    once = [trial for trial in trials if len(trial.attempts) < 2]
    histories: dict[str, list[Point]] = {trial.run_id: [] for trial in trials}
    for start in range(0, len(once), _RUNS_PER_REQUEST):
        run_ids = [trial.run_id for trial in once[start : start + _RUNS_PER_REQUEST]]
        answer = rest.get("metrics/get-history-bulk-interval", run_ids=run_ids, metric_key=key)
        for metric in answer.get("metrics", ()):
            histories[metric["run_id"]].append(_point(metric, 1))
    for trial in trials:
        if len(trial.attempts) > 1:
            histories[trial.run_id] = _attempted(rest, trial, key)
        else:
            histories[trial.run_id] = cut(histories[trial.run_id], {})
    return histories


def cut(points: Sequence[Point], resumed_steps: Mapping[int, int]) -> list[Point]:
    """The history as if every interrupted attempt had stopped at the checkpoint from which a later one went on.

    `resumed_steps` gives each attempt's. Where several points have one step the latest attempt's last one counts.
    """
    kept: dict[int, Point] = {}
    for point in sorted(points, key=lambda point: (point.step, point.attempt, point.time_ms)):
        later = (step for attempt, step in resumed_steps.items() if attempt > point.attempt)
        if point.step <= min(later, default=point.step):
            kept[point.step] = point
    return list(kept.values())


def _attempted(rest: MlflowRest, trial: TrialRecord, key: str) -> list[Point]:
    # A later attempt logs its number beside every record, with that record's step and time.
    marks = {
        (int(metric.get("step", 0)), int(metric["timestamp"])): int(metric["value"])
        for metric in _whole_history(rest, trial.run_id, ATTEMPT_METRIC)
    }
    points = []
    for metric in _whole_history(rest, trial.run_id, key):
        at = (int(metric.get("step", 0)), int(metric["timestamp"]))
        points.append(_point(metric, marks.get(at, 1)))
    return cut(points, trial.resumed_steps)


def _whole_history(rest: MlflowRest, run_id: str, key: str) -> list[Json]:
    metrics: list[Json] = []
    page: dict[str, str] = {}
    while True:
        answer = rest.get("metrics/get-history", run_id=run_id, metric_key=key, max_results=_POINTS_PER_PAGE, **page)
        metrics += answer.get("metrics", ())
        if not answer.get("next_page_token"):
            return metrics
        page = {"page_token": answer["next_page_token"]}


def _point(metric: Json, attempt: int) -> Point:
    return Point(int(metric.get("step", 0)), number(metric["value"]), int(metric["timestamp"]), attempt)
