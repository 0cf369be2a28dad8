"""The trials of a study report as plain data: one row a trial that has a run."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from paribus.metrics.known import METRICS
from paribus.report.doubts.mixtures import made_with
from paribus.report.numbers import show_number

if TYPE_CHECKING:
    from paribus.metrics.metric import Metric
    from paribus.report.study_report import StudyReport, TrialRecord, TrialRow


def _number(metric: Metric) -> tuple[str, str]:
    """The head and the format of a metric's column."""
    return f"{metric.short} ({metric.of_level})", f"%.{metric.digits}f"


# Final metrics of a trial as a table shows them: the head of the column, and printf's format.
_NUMBERS = {
    **{name: _number(one) for name, one in METRICS.items()},
    "total_s": ("time (s)", "%.1f"),
    "peak_memory_mib": ("peak memory (MiB)", "%.0f"),
}


def trials_as_rows(report: StudyReport) -> list[dict[str, object]]:
    """Arm, levels, how it stands, final metrics, what it was made with, and where its run is."""
    return [_row(row) for row in report.begun]


def trials_as_csv(report: StudyReport) -> str:
    """The rows as CSV, with the columns of all of them."""
    return rows_as_csv(trials_as_rows(report))


def rows_as_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as CSV, with the columns of all of them."""
    table = io.StringIO()
    writer = csv.DictWriter(
        table, list(dict.fromkeys(column for row in rows for column in row)), restval="", lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue().rstrip("\n")


def trials_as_table(report: StudyReport) -> list[dict[str, object]]:
    """Every trial that has a run with what people look at: `number_formats` says how its numbers are written."""
    own = _own_numbers(report)
    return [_shown(row, own) for row in report.begun]


def number_formats(report: StudyReport) -> dict[str, str]:
    """By the head of each of its columns of numbers, printf's format."""
    return dict({**_NUMBERS, **_own_numbers(report)}.values())


def _own_numbers(report: StudyReport) -> dict[str, tuple[str, str]]:
    """The columns of metrics of the study's own."""
    own = report.study.own_metrics if report.study is not None else {}
    return {name: _number(metric) for name, metric in own.items()}


def final_numbers(record: TrialRecord, report: StudyReport) -> list[dict[str, str]]:
    """The final numbers of a trial that people look at, in the digits of each; [] before its end."""
    named = {**_NUMBERS, **_own_numbers(report)}
    told = ((label, form, record.metrics.get(name)) for name, (label, form) in named.items())
    return [
        {"result": label, "value": show_number(value, form.removeprefix("%"))}
        for label, form, value in told
        if value is not None
    ]


def unfinished_as_table(report: StudyReport, *, interrupted: bool) -> list[dict[str, object]]:
    """The trials that failed, and where asked for those that were cut off, with their reasons."""
    wanted = ("failed", "interrupted") if interrupted else ("failed",)
    rows = sorted((row for row in report.begun if row.state in wanted), key=lambda row: wanted.index(row.state))
    return [
        {
            "trial": row.name,
            "outcome": row.state,
            "reason": row.record.reason or "its driver or worker ended before it did",
            "attempts": row.record.attempt,
            "MLflow": row.record.url,
        }
        for row in rows
        if row.record
    ]


def _shown(row: TrialRow, own: Mapping[str, tuple[str, str]]) -> dict[str, object]:
    record = row.record
    assert record is not None
    return {
        "arm": row.arm.name,
        "replicate": row.replicate,
        "outcome": row.state,
        **{label: record.metrics.get(name) for name, (label, _) in {**_NUMBERS, **own}.items()},
        "steps": record.num_steps or record.step,
        "failed to train at step": record.outcome_step,
        "attempt": record.attempt,
        "MLflow": record.url,
    }


def _row(row: TrialRow) -> dict[str, object]:
    record = row.record
    assert record is not None
    return {
        "arm": row.arm.name,
        **{path: str(level) for path, level in row.arm.levels},
        "replicate": row.replicate,
        "outcome": row.state,
        "outcome_step": "" if record.outcome_step is None else record.outcome_step,
        **record.metrics,
        "attempt": record.attempt,
        **made_with(record),
        "reason": record.reason,
        "trial_id": row.trial_id,
        "run": record.url,
    }
