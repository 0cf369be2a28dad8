"""Reports of studies whose trials ended as told, made without a ledger, for tests of what is drawn of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trial_records import digest, record_of

from paribus.analysis import analyse
from paribus.metrics.examples import Examples
from paribus.report.study_report import StudyReport, arm_rows, trial_rows
from paribus.study import Study
from paribus.study.plan import Trial, places, trials

# A trial's final metrics, or how else it ended; None: it has not begun.
Fate = Callable[[Trial], dict[str, float] | str | None]


def report_of(
    study: Study, fate: Fate, num_eval: int = 1000, examples: Callable[[Trial], Examples | None] = lambda trial: None
) -> StudyReport:
    """The report of a study whose trials ended so, each with its own run id, `run-0` on."""
    records, results = [], []
    for at, trial in enumerate(trials(study, digest)):
        end = fate(trial)
        if end is None:
            continue
        more: dict[str, Any] = {"outcome": end, "metrics": {}} if isinstance(end, str) else {"metrics": end}
        record = record_of(trial, run_id=f"run-{at}", **more)
        records.append(record)
        results.append(record.result(examples(trial)))
    rows = trial_rows(records, places(trials(study, digest)), live=False)
    has_examples = any(result.examples is not None for result in results)
    analysis = analyse(study, results, None if has_examples else num_eval)
    return StudyReport(
        name=study.name, url="", study=study, trials=rows, analysis=analysis, arms=arm_rows(analysis, rows)
    )
