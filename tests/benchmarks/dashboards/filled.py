"""A real ledger of a size: a study with many trials of many epochs, recorded as a driver records them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from paribus.metrics.examples import Examples
from paribus.report.reading import LedgerReader
from paribus.report.study_report import VERDICTS_FILE
from paribus.study import Study
from paribus.study.document import write_study
from paribus.study.settings import settings_of
from paribus.study.words import Arm
from paribus.tracking import MlflowRest, Recorder, StudyHeader, TrialRecord
from paribus.tracking import open_study as open_study_run
from paribus.tracking.outbox.artifacts import EXAMPLES, encode_examples

NUM_EVAL = 397
STEPS = 11
# MLflow's own limit for a batch.
_MOST_POINTS = 1000
MOST_BY_CLIENT = 200


def study_of(num_trials: int) -> Study:
    """Twenty arms, five widths at four depths, each with a twentieth of the trials."""
    return Study(
        name="load",
        question="Does the dashboard stand it?",
        factors={"model.width": (1.0, 1.5, 2.0, 3.0, 4.0), "model.depth": (10, 16, 22, 28)},
        baseline={"model.width": 1.0},
        replicates=num_trials // 20,
        margin=1.0,
    )


def fill(uri: str, folder: Path, num_trials: int, num_epochs: int) -> None:
    """Record the study, finished, into the server in `folder`.

    One trial goes the way of every trial; up to `MOST_BY_CLIENT` others are its run again, with an id, an arm, a
    replicate and numbers of their own, put by MLflow's client into the server's database (0.1 CPU seconds each, most of
    it for the points). Those beyond are rows of the database again, by SQL: an hour of the client's takes a minute so.
    """
    study = study_of(num_trials)
    places = [(arm, replicate) for replicate in range(1, study.replicates + 1) for arm in study.arms]
    header = StudyHeader(
        name=study.name,
        question=study.question,
        caveats=tuple(f"{path} = {value}" for path, value in study.caveats().items()),
        design=study.design,
        num_planned=len(places),
        settings=settings_of(study),
    )
    with MlflowRest(uri) as rest:
        run = open_study_run(rest, header)
        run.artifact("study.json", write_study(study).encode())
        run.artifact("trials.json", json.dumps([_id(arm, replicate) for arm, replicate in places]).encode())
        with Recorder(folder / "outbox", uri, flush_s=0.2) as recorder:
            _record(recorder, study, *places[0], num_epochs)
        _repeat(folder, study, places[:MOST_BY_CLIENT])
        _multiply(folder, places)
        run.artifact(VERDICTS_FILE, _judged(uri, study.name))
        run.finish("FINISHED", {"finished": len(places)})


def fill_another(uri: str) -> None:
    """A second study, which has not begun: over one alone, Home has nothing to search."""
    with MlflowRest(uri) as rest:
        open_study_run(rest, StudyHeader(name="another", question="Is there another one?")).finish("KILLED")


def _id(arm: Arm, replicate: int) -> str:
    return hashlib.sha256(f"{arm.name} {replicate}".encode()).hexdigest()


def _record(recorder: Recorder, study: Study, arm: Arm, replicate: int, num_epochs: int) -> None:
    record = TrialRecord(
        study=study.name,
        trial_id=_id(arm, replicate),
        arm=arm,
        arm_name=arm.name,
        replicate=replicate,
        params={path: str(level) for path, level in arm.levels},
        total_steps=num_epochs * STEPS,
    ).begun()
    log = recorder.trial(record, is_new=True)
    metrics: dict[str, float] = {}
    for epoch in range(1, num_epochs + 1):
        gap = float(np.exp(-0.1 * epoch))
        metrics = {"top1": 95 - 80 * gap, "log_likelihood": -2.2 * gap, "eval_loss": 2.2 * gap, "train_loss": 2 * gap}
        log.metrics({**metrics, "lr": 0.1}, step=epoch * STEPS, epoch=epoch)
    log.artifact(EXAMPLES, encode_examples(Examples(correct=np.arange(NUM_EVAL) % 20 > 0)))
    log.finish("finished", {**metrics, "total_s": 30.0, "num_params": 175_000.0}, log.record)


def _judged(uri: str, name: str) -> bytes:
    """What a driver writes down at a study's end, so that Home needs to judge nothing."""
    reader = LedgerReader(uri, budget_s=600)
    (record,) = [each for each in reader.studies() if each.name == name]
    report = reader.report(record, reader.trials(record))
    reader.close()
    return json.dumps(report.as_dict()).encode()


def _repeat(folder: Path, study: Study, places: Sequence[tuple[Arm, int]]) -> None:
    """The first place's trial again for the others, by MLflow's own client on the server's database.

    Each is a run with an id, an arm, a replicate and numbers of its own; its curves lie by as much higher as they end.
    """
    rng = np.random.default_rng(1)
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(study.name)
    assert experiment is not None
    (first,) = client.search_runs([experiment.experiment_id], "tags.`paribus.trial_id` LIKE '%'")
    points = [point for key in first.data.metrics for point in client.get_metric_history(first.info.run_id, key)]
    for arm, replicate in places[1:]:
        above = float(str(arm.as_dict()["model.width"])) + rng.normal(0, 0.4)
        run = client.create_run(
            experiment.experiment_id, first.info.start_time, _tags(first.data.tags, arm, replicate, above)
        )
        params = first.data.params | {path: str(level) for path, level in arm.levels}
        client.log_batch(run.info.run_id, params=[Param(key, value) for key, value in params.items()])
        higher = [_higher(point, above) for point in points]
        for at in range(0, len(higher), _MOST_POINTS):
            client.log_batch(run.info.run_id, metrics=higher[at : at + _MOST_POINTS])
        client.set_terminated(run.info.run_id, end_time=first.info.end_time)


def _multiply(folder: Path, places: Sequence[tuple[Arm, int]]) -> None:
    """The trials beyond `MOST_BY_CLIENT`: each is that of the same arm among the first ones, as another replicate."""
    with closing(sqlite3.connect(folder / "mlflow.db", timeout=60)) as base, base:
        found = base.execute("SELECT value, run_uuid FROM tags WHERE key = 'paribus.trial_id'").fetchall()
        runs = dict(found)
        firsts = {arm: [] for arm, _ in places}
        for arm, replicate in places[:MOST_BY_CLIENT]:
            firsts[arm].append(runs[_id(arm, replicate)])
        base.execute("CREATE TEMP TABLE again (old TEXT, new TEXT, id TEXT, replicate TEXT, name TEXT)")
        base.executemany(
            "INSERT INTO again VALUES (?, ?, ?, ?, ?)",
            [
                (
                    firsts[arm][replicate % len(firsts[arm])],
                    uuid.uuid4().hex,
                    _id(arm, replicate),
                    str(replicate),
                    f"{arm.name} · r{replicate}",
                )
                for arm, replicate in places[MOST_BY_CLIENT:]
            ],
        )
        for table in ("runs", "metrics", "latest_metrics", "params", "tags"):
            columns = [row[1] for row in base.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(
                {"run_uuid": "new", "name": "again.name"}.get(each, f"{table}.{each}") for each in columns
            )
            base.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} JOIN again ON run_uuid = old"
            )
        for key, column in (("trial_id", "id"), ("replicate", "replicate")):
            base.execute(
                f"UPDATE tags SET value = (SELECT {column} FROM again WHERE new = run_uuid) "
                f"WHERE key = 'paribus.{key}' AND run_uuid IN (SELECT new FROM again)"
            )


def _tags(of: Mapping[str, str], arm: Arm, replicate: int, above: float) -> dict[str, str]:
    """The first trial's tags as another one has them."""
    final = json.loads(of["paribus.final"])
    return {
        **of,
        "paribus.trial_id": _id(arm, replicate),
        "paribus.arm_name": arm.name,
        "paribus.replicate": str(replicate),
        "paribus.arm": json.dumps([list(level) for level in arm.levels]),
        "paribus.final": json.dumps({**final, "top1": final["top1"] + above}),
        "mlflow.runName": f"{arm.name} · r{replicate}",
    }


def _higher(point: Metric, above: float) -> Metric:
    return Metric(point.key, point.value + above * (point.key == "top1"), point.timestamp, point.step)
