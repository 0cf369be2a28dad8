"""Experiments and runs: typed reading, and experiments that two processes may create at once."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from paribus.host.secrets import without_secrets
from paribus.tracking import tags as words
from paribus.tracking.errors import LedgerError
from paribus.tracking.mlflow.limits import (
    KEY_LENGTH,
    NAME_LENGTH,
    PARAM_LENGTH,
    batches,
    fitting,
    joined_tags,
    split_tags,
)
from paribus.tracking.mlflow.rest import Json, MlflowRest
from paribus.tracking.schema import SCHEMA, check_schema

# A run takes 2.4 ms of the server's core: more at once and a busy server answers none of them within a request's time.
_RUNS_PER_PAGE = 1000
# MLflow 3 has two faces, for language models and for training. Each browser keeps which one it was left at, whatever an
# experiment's own kind, and begins with the former; an address that names one goes before that.
FOR_TRAINING = "workflowType=machine_learning"


class Latest(NamedTuple):
    """The last value of a metric as MLflow keeps it (greatest step, then greatest time)."""

    value: float
    step: int
    time_ms: int


class Metric(NamedTuple):
    """One point on its way to the server."""

    key: str
    value: float
    time_ms: int
    step: int


@dataclass(frozen=True, slots=True)
class Run:
    """One MLflow run as the server has it."""

    run_id: str
    experiment_id: str
    name: str
    status: str
    start_ms: int
    end_ms: int
    artifact_uri: str
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Latest] = field(default_factory=dict)
    deleted: bool = False

    @property
    def description(self) -> str:
        """What MLflow shows as such, in Markdown; "" where there is none."""
        return self.tags.get(words.NOTE, "")


def parse_run(answer: Json) -> Run:
    """A Run from the `run` object of an answer."""
    info, data = answer["info"], answer.get("data", {})
    return Run(
        run_id=info["run_id"],
        experiment_id=info["experiment_id"],
        name=info.get("run_name", ""),
        status=info.get("status", "RUNNING"),
        start_ms=int(info.get("start_time", 0)),
        end_ms=int(info.get("end_time", 0)),
        artifact_uri=info.get("artifact_uri", ""),
        tags=joined_tags({tag["key"]: tag["value"] for tag in data.get("tags", ())}),
        params={param["key"]: param["value"] for param in data.get("params", ())},
        metrics={
            metric["key"]: Latest(number(metric["value"]), int(metric.get("step", 0)), int(metric["timestamp"]))
            for metric in data.get("metrics", ())
        },
        deleted=info.get("lifecycle_stage", "active") != "active",
    )


def number(value: float | str) -> float:
    """A metric's value as it was logged: MLflow spells NaN as a string and keeps infinities as the largest doubles."""
    found = float(value)
    return math.copysign(math.inf, found) if abs(found) == sys.float_info.max else found


def get_run(rest: MlflowRest, run_id: str) -> Run:
    """The run; LedgerError with status 404 if there is none."""
    return parse_run(rest.get("runs/get", run_id=run_id)["run"])


def search_runs(
    rest: MlflowRest,
    experiment_ids: list[str],
    where: str = "",
    *,
    newest_first: bool = False,
    page: int | None = None,
) -> Iterator[Run]:
    """Every run of the experiments that matches MLflow's filter `where`, oldest first unless told otherwise.

    A request is made for each `page` of them, by default a thousand.
    """
    body: Json = {
        "experiment_ids": experiment_ids,
        "filter": where,
        "max_results": page or _RUNS_PER_PAGE,
        "order_by": [f"attributes.start_time {'DESC' if newest_first else 'ASC'}"],
    }
    while experiment_ids:
        answer = rest.post("runs/search", body)
        yield from map(parse_run, answer.get("runs", ()))
        if not answer.get("next_page_token"):
            return
        body["page_token"] = answer["next_page_token"]


def experiment_ids(rest: MlflowRest) -> list[str]:
    """The ids of all active experiments."""
    return [str(experiment["experiment_id"]) for experiment in active_experiments(rest)]


def active_experiments(rest: MlflowRest) -> list[Json]:
    """All active experiments, as MLflow describes them; LedgerError where a later program wrote one."""
    found: list[Json] = []
    body: Json = {"max_results": 1000, "view_type": "ACTIVE_ONLY"}
    while True:
        answer = rest.post("experiments/search", body)
        found += answer.get("experiments", ())
        if not answer.get("next_page_token"):
            break
        body["page_token"] = answer["next_page_token"]
    for experiment in found:
        check_schema(experiment)
    return found


def find_experiment(rest: MlflowRest, name: str) -> str | None:
    """The id of the experiment `name`; LedgerError if it was deleted in MLflow."""
    try:
        found = rest.get("experiments/get-by-name", experiment_name=name)["experiment"]
    except LedgerError as error:
        if error.code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    check_active(found)
    check_schema(found)
    return str(found["experiment_id"])


def check_active(experiment: Json) -> None:
    """Raise LedgerError if `experiment`, as MLflow describes it, was deleted there."""
    if experiment.get("lifecycle_stage", "active") != "active":
        raise LedgerError(
            f"The experiment {experiment['name']!r} was deleted in MLflow. Restore it "
            f"(`mlflow experiments restore -x {experiment['experiment_id']}`) or give the study another name."
        )


def ensure_experiment(rest: MlflowRest, name: str) -> str:
    """The id of the experiment `name`, created if missing; safe when several processes race."""
    if found := find_experiment(rest, name):
        return found
    # What MLflow's pages show an experiment for, where they are not told by the address: see FOR_TRAINING.
    kind = {"key": "mlflow.experimentKind", "value": "custom_model_development"}
    schema = {"key": words.SCHEMA, "value": str(SCHEMA)}
    try:
        return str(rest.post("experiments/create", {"name": name, "tags": [kind, schema]})["experiment_id"])
    except LedgerError as error:
        if error.code != "RESOURCE_ALREADY_EXISTS":
            raise
    if found := find_experiment(rest, name):
        return found
    raise LedgerError(f"MLflow says that the experiment {name!r} exists, and does not find it.")


def create_run(
    rest: MlflowRest, experiment_id: str, name: str, tags: Mapping[str, str], start_ms: int | None = None
) -> Run:
    """Create a run with its name and tags in one request; the name is for people and is cut where it is too long."""
    body = {
        "experiment_id": experiment_id,
        "run_name": fitting(name, NAME_LENGTH),
        "start_time": start_ms or now_ms(),
        "tags": _pairs(split_tags(tags)),
    }
    return parse_run(rest.post("runs/create", body)["run"])


def close_duplicate(rest: MlflowRest, run: Run, winner: Run) -> None:
    """Mark `run` as made by accident beside `winner`, and close it."""
    log_batch(rest, run.run_id, tags={words.DUPLICATE_OF: winner.run_id})
    update_run(rest, run.run_id, "KILLED", now_ms())


def winner_of(rest: MlflowRest, run: Run) -> Run:
    """`run`, or the run that it duplicates."""
    other = run.tags.get(words.DUPLICATE_OF)
    return winner_of(rest, get_run(rest, other)) if other else run


def oldest(found: Iterable[Run]) -> Run | None:
    """The run that all agree on: no duplicate, then the earliest start, then the smallest id."""
    kept = [run for run in found if words.DUPLICATE_OF not in run.tags]
    return min(kept, key=lambda run: (run.start_ms, run.run_id), default=None)


def update_run(rest: MlflowRest, run_id: str, status: str, end_ms: int | None = None) -> None:
    """Set a run's status: RUNNING, FINISHED, FAILED or KILLED."""
    body: Json = {"run_id": run_id, "status": status}
    if end_ms is not None:
        body["end_time"] = end_ms
    rest.post("runs/update", body)


def rename_run(rest: MlflowRest, run_id: str, name: str) -> None:
    """Give a run another name in MLflow's page."""
    rest.post("runs/update", {"run_id": run_id, "run_name": name})


def log_batch(
    rest: MlflowRest,
    run_id: str,
    metrics: list[Metric] | None = None,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> int:
    """Log any number of metrics, params and tags in as few requests as MLflow allows; returns how many."""
    points = [_point(metric) for metric in metrics or ()]
    columns = _pairs(fitting_params(params or {}))
    bodies = list(batches(points, columns, _pairs(split_tags(tags or {}))))
    for body in bodies:
        rest.post("runs/log-batch", {"run_id": run_id, **body})
    return len(bodies)


def fitting_params(params: Mapping[str, str]) -> dict[str, str]:
    """The params as MLflow takes them: a longer value keeps its beginning and digits of the whole one's SHA-256."""
    return {
        fitting(key, KEY_LENGTH): fitting(without_secrets(str(value)), PARAM_LENGTH) for key, value in params.items()
    }


def run_url(uri: str, experiment_id: str, run_id: str, below: str = "") -> str:
    """The address of a run's page, or of a page `below` it: `/artifacts` has its files, `/artifacts/NAME` shows one."""
    return f"{uri}/#/experiments/{experiment_id}/runs/{run_id}{below}?{FOR_TRAINING}"


def now_ms() -> int:
    """Milliseconds since 1970, as MLflow counts time."""
    return int(time.time() * 1000)


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _point(metric: Metric) -> Json:
    # JSON has no NaN or infinity; protobuf's JSON mapping, which MLflow reads, spells them as strings.
    value: float | str = metric.value
    if metric.value != metric.value:
        value = "NaN"
    elif metric.value in (float("inf"), float("-inf")):
        value = "Infinity" if metric.value > 0 else "-Infinity"
    return {"key": fitting(metric.key, KEY_LENGTH), "value": value, "timestamp": metric.time_ms, "step": metric.step}
