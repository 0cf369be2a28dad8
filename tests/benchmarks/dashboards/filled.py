"""A real ledger of a size: a study with many trials of many epochs, recorded as a driver records them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from paribus.metrics.examples import Examples
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


def fill(uri: str, folder: Path, num_trials: int, num_epochs: int) -> Study:
    """Record the study, finished, into the server; returns it."""
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
            for arm, replicate in places:
                _record(recorder, study, arm, replicate, num_epochs)
        run.finish("FINISHED", {"finished": len(places)})
    return study


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
    rng = np.random.default_rng(int(record.trial_id[:12], 16))
    limit = 95 + float(str(arm.as_dict()["model.width"])) + rng.normal(0, 0.4)
    metrics: dict[str, float] = {}
    for epoch in range(1, num_epochs + 1):
        top1 = min(100.0, limit - 80 * float(np.exp(-0.1 * epoch)) + rng.normal(0, 0.3))
        loss = 0.05 + 2.2 * float(np.exp(-0.1 * epoch)) + abs(rng.normal(0, 0.02))
        metrics = {"top1": top1, "log_likelihood": -loss, "eval_loss": loss, "train_loss": loss, "lr": 0.1}
        log.metrics(metrics, step=epoch * STEPS, epoch=epoch)
    correct = rng.random(NUM_EVAL) < metrics["top1"] / 100
    log.artifact(EXAMPLES, encode_examples(Examples(correct=correct)))
    log.finish(
        "finished",
        {**metrics, "top1": 100 * float(correct.mean()), "total_s": 30.0, "num_params": 175_000.0},
        log.record,
    )
