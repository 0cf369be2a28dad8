"""Judged reports in memory, with trials, examples, curves, failures and costs as a ledger would tell them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from trial_records import digest, record_of

from paribus.analysis import analyse
from paribus.analysis.looks import Looks
from paribus.engine.variables import Prices
from paribus.metrics.examples import Examples
from paribus.report.costs import cost_of
from paribus.report.study_report import Basis, StudyReport, TrialRow, arm_rows
from paribus.report.views.curves import Curve
from paribus.study import Study
from paribus.study.plan import Trial, trials
from paribus.tracking.trials.record import Attempt, TrialRecord

# Top-1 of a trial, or how else it ended.
Fate = Callable[[Trial], float | str]


def report_of_trials(
    study: Study,
    fate: Fate,
    *,
    num_eval: int = 400,
    points: int = 20,
    looks: Looks | None = None,
    notes: tuple[str, ...] = ("mixed processors in 2 of 2 contrasts: A (5 trials), B (10 trials)",),
) -> StudyReport:
    """The report of a study whose trials ended as `fate` says; the rest is drawn by a generator of its own."""
    draw = np.random.default_rng(1)
    rows, examples, curves = [], {}, []
    for trial in trials(study, digest):
        end = fate(trial)
        record, taken = _record(study, trial, end, draw, num_eval)
        state: Any = record.outcome
        rows.append(TrialRow(trial_id=trial.id, arm=trial.arm, replicate=trial.replicate, state=state, record=record))
        examples |= {} if taken is None else {trial.id: taken}
        x = [10.0 * step for step in range(1, points + 1)]
        x = x if isinstance(end, float) else x[: points // 4]
        y = [float(90 - 60 * np.exp(-each / 40) + draw.normal()) for each in x]
        curves.append(Curve(arm=trial.arm.name, replicate=trial.replicate, x=x, y=y, outcome=state))
    results = [row.record.result(examples.get(row.trial_id)) for row in rows if row.record]
    found = analyse(study, results, looks=looks)
    return StudyReport(
        name=study.name,
        url="http://127.0.0.1:5000/#/experiments/1/runs/study",
        study=study,
        trials=tuple(rows),
        analysis=found,
        arms=arm_rows(found, rows),
        notes=notes,
        curves=curves,
        cost=cost_of(study, found, rows, Prices(worker_hour=1.8, currency="EUR")),
        basis=Basis(examples=examples, num_eval=found.num_eval, looks=looks),
    )


def _record(
    study: Study, trial: Trial, end: float | str, draw: np.random.Generator, num_eval: int
) -> tuple[TrialRecord, Examples | None]:
    seconds = float(draw.uniform(5, 6))
    outcome = "finished" if isinstance(end, float) else end
    metrics = {"total_s": seconds, "num_params": 175_000.0, "flops": 3.3e7}
    taken = None
    if isinstance(end, float):
        right = np.zeros(num_eval, dtype=bool)
        right[draw.permutation(num_eval)[: round(end * num_eval / 100)]] = True
        taken = Examples(label=np.zeros(num_eval, np.int32), correct=right, keys_digest="ab" * 32)
        metrics |= {"top1": end, "log_likelihood": -float(draw.uniform(0.1, 0.4))}
    attempt = Attempt(started_ms=1000, ended_ms=1000 + round(1000 * seconds), outcome=outcome)
    facts = {"experiment_id": "1", "uri": "http://127.0.0.1:5000", "run_id": trial.id[:32], "weights": trial.id}
    record = record_of(trial, study=study.name, outcome=outcome, metrics=metrics, attempts={1: attempt}, **facts)
    return (record if taken else replace(record, outcome_step=40)), taken
