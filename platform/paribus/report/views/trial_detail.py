"""One trial as a person looks into it: what it is made of beside its baseline, its attempts, and where it ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paribus.host.secrets import without_secrets
from paribus.host.time_left import duration
from paribus.report.doubts.mixtures import made_with
from paribus.tracking.outbox.artifacts import PRINTED, TRACEBACK, crash_file

if TYPE_CHECKING:
    from paribus.report.study_report import StudyReport, TrialRecord, TrialRow

# Where what its process printed is kept.
PRINTED_FILES: Final = (PRINTED,)


@dataclass(frozen=True, kw_only=True)
class RecipeLine:
    """A field of a recipe: what the trial has, and what its baseline's trial of the same replicate has."""

    path: str
    value: str
    baseline: str

    @property
    def differs(self) -> bool:
        """Whether the two are trained differently in it."""
        return self.value != self.baseline


def crash_logs(record: TrialRecord) -> list[str]:
    """The names of the files that may say why it failed, the likeliest first."""
    return [TRACEBACK, *map(crash_file, range(record.attempt, 0, -1))]


def baseline_of(row: TrialRow, report: StudyReport) -> TrialRow | None:
    """The trial that it is paired with: its baseline's of the same replicate; None of a baseline's own."""
    if report.study is None or row.arm not in report.study.trained:
        return None
    arm = report.study.baseline_of(row.arm)
    paired = (each for each in report.begun if each.arm == arm and each.replicate == row.replicate)
    return None if arm == row.arm else next(paired, None)


def recipe_lines(record: TrialRecord, baseline: TrialRecord | None) -> list[RecipeLine]:
    """Every field of the trial's recipe by path, those that differ from the baseline's first; without one, none does.

    The short names of factors, by which MLflow sorts, repeat their paths and are left out.
    """
    other = baseline.params if baseline is not None else record.params
    factors = {path for path, _ in record.arm.levels}
    short = {"replicate", *(path.rpartition(".")[2] for path in factors)} - factors
    paths = sorted({*record.params, *other} - short)
    lines = [
        RecipeLine(
            path=path,
            value=without_secrets(record.params.get(path, "")),
            baseline=without_secrets(other.get(path, "")),
        )
        for path in paths
    ]
    return sorted(lines, key=lambda line: not line.differs)


def attempt_rows(record: TrialRecord) -> list[dict[str, str]]:
    """Each attempt: from which step, how long, where and how it ended; for people."""
    return [
        {
            "attempt": str(number),
            "from step": str(attempt.resumed_step),
            "took": _took(attempt.started_ms, attempt.ended_ms),
            "ended": attempt.outcome,
            "machine": attempt.host,
            "process": str(attempt.pid or ""),
            "processor": attempt.cpu,
        }
        for number, attempt in sorted(record.attempts.items())
    ]


def facts(record: TrialRecord) -> dict[str, str]:
    """Where and with what it was made, and what the worker had to say; what is not known is left out."""
    told = {
        "trial": record.trial_id,
        "node": record.node,
        **made_with(record),
        "data": record.data,
        "seeds": ", ".join(f"{name} {seed}" for name, seed in record.seeds.items()),
        "took": _took(record.started_ms, record.ended_ms),
        "steps": f"{record.num_steps or record.step} of {record.total_steps}" if record.total_steps else "",
        "shared": record.shared,
        "warnings": record.warnings,
        "lost": record.lost_artifact,
        "restored": record.restored,
    }
    return {name: without_secrets(text) for name, text in told.items() if text}


def _took(started_ms: int, ended_ms: int) -> str:
    return duration((ended_ms - started_ms) / 1000) if ended_ms > started_ms > 0 else ""
