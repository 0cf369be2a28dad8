"""The arms of a study by themselves, with what became of each: the table that a page shows first."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from paribus.report.costs import gpus_of
from paribus.report.drawing.tables import show_level, sizes, told
from paribus.report.numbers import show_number
from paribus.study.words import FAILED_TO_TRAIN

if TYPE_CHECKING:
    from paribus.report.study_report import ArmRow, StudyReport


def arm_verdict_rows(report: StudyReport) -> list[dict[str, str]]:
    """An arm a row: its verdict, mean ± sd of the primary metric, n, how many trained through, size, time, GPU-hours.

    A column in which no arm has anything to tell is left out. Raises ValueError for a report that was not judged.
    """
    analysis = report.judged
    metric, verdicts = analysis.metric, {each.arm: each.verdict or "" for each in analysis.contrasts}
    rows = [
        {
            "arm": row.arm.name,
            "verdict": "baseline" if row.is_baseline else verdicts.get(row.arm, "noise floor"),
            f"{metric.short} ({metric.of_level}), mean ± sd".replace(" ()", ""): _level(row, metric.digits),
            "n": str(row.n),
            "trained through": _survived(report, row),
            "no result": str(row.failed or "-"),
            **sizes(row),
            "GPU-hours": _gpu_hours(report, row),
        }
        for row in report.arms
    ]
    return told(rows)


def _level(row: ArmRow, digits: int) -> str:
    return show_level(row.mean, digits) + (f" ± {show_level(row.sd, digits)}" if row.sd is not None else "")


def _survived(report: StudyReport, row: ArmRow) -> str:
    """`4 of 5`, of the trials that came to an end of their own."""
    states = Counter(each.state for each in report.trials if each.arm == row.arm)
    ends = states["finished"] + sum(states[word] for word in FAILED_TO_TRAIN)
    return f"{states['finished']} of {ends}" if ends else "-"


def _gpu_hours(report: StudyReport, row: ArmRow) -> str:
    records = [each.record for each in report.trials if each.arm == row.arm and each.record]
    hours = sum(record.metrics.get("total_s", 0.0) * gpus_of(record) for record in records) / 3600
    return show_number(hours, ".2g") if hours else "-"
