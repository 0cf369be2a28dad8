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

    One trial goes the way of every trial; the others are its rows in the server's own SQLite again, each with an id, an
    arm, a replicate and numbers of its own: half a million points take seconds so, and an hour one by one.
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
        _repeat(folder, study, places)
        run.artifact(VERDICTS_FILE, _judged(uri, study.name))
        run.finish("FINISHED", {"finished": len(places)})


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
    reader = LedgerReader(uri, budget_s=60)
    (record,) = [each for each in reader.studies() if each.name == name]
    report = reader.report(record, reader.trials(record))
    reader.close()
    return json.dumps(report.as_dict()).encode()


def _repeat(folder: Path, study: Study, places: Sequence[tuple[Arm, int]]) -> None:
    """The rows of the first place's trial again for the others; their curves lie by as much higher as they end."""
    rng = np.random.default_rng(1)
    with closing(sqlite3.connect(folder / "mlflow.db", timeout=60)) as base, base:
        (first,) = base.execute("SELECT run_uuid FROM tags WHERE key = 'paribus.trial_id'").fetchone()
        rows = {table: _rows(base, table, first) for table in ("runs", "metrics", "latest_metrics", "params", "tags")}
        for arm, replicate in places[1:]:
            run_id, above = uuid.uuid4().hex, float(str(arm.as_dict()["model.width"])) + rng.normal(0, 0.4)
            tags = {"paribus.trial_id": _id(arm, replicate), "paribus.arm_name": arm.name}
            tags |= {"paribus.replicate": str(replicate), "mlflow.runName": f"{arm.name} · r{replicate}"}
            tags["paribus.arm"] = json.dumps([list(level) for level in arm.levels])
            for table, (columns, found) in rows.items():
                new = [_changed(dict(zip(columns, row, strict=True)), first, run_id, above, arm, tags) for row in found]
                holes = ", ".join("?" * len(columns))
                base.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({holes})", new)


def _rows(base: sqlite3.Connection, table: str, run_id: str) -> tuple[list[str], list[tuple[object, ...]]]:
    found = base.execute(f"SELECT * FROM {table} WHERE run_uuid = ?", (run_id,))
    return [column[0] for column in found.description], found.fetchall()


def _changed(
    row: dict[str, object], first: str, run_id: str, above: float, arm: Arm, tags: Mapping[str, str]
) -> list[object]:
    """A row of the first trial as the other one has it."""
    key = str(row.get("key", ""))
    row["run_uuid"] = run_id
    if "artifact_uri" in row:
        row |= {"artifact_uri": str(row["artifact_uri"]).replace(first, run_id), "name": tags["mlflow.runName"]}
    elif key in tags:
        row["value"] = tags[key]
    elif key == "paribus.final":
        final = json.loads(str(row["value"]))
        row["value"] = json.dumps({**final, "top1": final["top1"] + above})
    elif key == "top1":
        row["value"] = float(str(row["value"])) + above
    elif key in (levels := {path: str(level) for path, level in arm.levels}):
        row["value"] = levels[key]
    return list(row.values())
