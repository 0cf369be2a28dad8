"""How far a study is and how long the rest will take, from its trials' own times."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paribus.host.time_left import duration, rest_of

if TYPE_CHECKING:
    from paribus.report.searches.search_report import SearchReport
    from paribus.report.study_report import StudyRecord, TrialRecord, TrialRow

# Diverged, dead and stuck ones failed to train, which is a result.
_SHOWN = {"failed": "without a result", "stopped": "cut"}


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Trials by how far they are; `left_s` is None where nothing runs, or nothing has been timed yet."""

    num_planned: int
    outcomes: Mapping[str, int]
    num_running: int
    left_s: float | None

    @property
    def num_ended(self) -> int:
        """Trials that came to any end."""
        return sum(self.outcomes.values())

    @property
    def share(self) -> float:
        """Share of the planned trials that have ended."""
        return min(1.0, self.num_ended / self.num_planned) if self.num_planned else 0.0

    def sentence(self) -> str:
        """`31 of 40 trials have ended (30 finished, 1 without a result) · 2 running · about 3 min left`."""
        which = (
            f" ({counts})"
            if (counts := ", ".join(f"{n} {_SHOWN.get(word, word)}" for word, n in self.outcomes.items()))
            else ""
        )
        parts = [f"{self.num_ended} of {self.num_planned} trials have ended{which}"]
        parts += [f"{self.num_running} running"] if self.num_running else []
        parts += [f"about {duration(self.left_s)} left"] if self.left_s is not None else []
        return " · ".join(parts)


def counted(record: StudyRecord) -> Progress:
    """From the driver's last heartbeat alone: no trial is read."""
    num_planned = max(record.num_planned, sum(record.counts.values()))
    return Progress(num_planned=num_planned, outcomes=record.counts, num_running=0, left_s=None)


def progress_of(record: StudyRecord, rows: Sequence[TrialRow], now_s: float | None = None) -> Progress:
    """From the trials themselves, with an estimate while a driver is at work."""
    now_ms = 1000 * (time.time() if now_s is None else now_s)
    trials = [row.record for row in rows if row.record]
    ended = [trial for trial in trials if trial.outcome is not None]
    running = [row.record for row in rows if row.record and row.state == "running"]
    num_planned = max(record.num_planned, len(ended))
    return Progress(
        num_planned=num_planned,
        outcomes=Counter(trial.outcome for trial in ended if trial.outcome),
        num_running=len(running),
        left_s=_left_s(ended, running, num_planned - len(ended), now_ms) if record.live else None,
    )


def search_progress(report: SearchReport, now_s: float | None = None) -> Progress:
    """Of a search, whose trials may be fewer than asked for; the estimate is for the case that none is cut."""
    tried, records, walk = report.tried, report.preview.records, report.preview.walk
    now_ms = 1000 * (time.time() if now_s is None else now_s)
    running = [each.number for each in tried if each.state == "running"]
    spent_s = [max(0.0, now_ms - records[number].started_ms) / 1000 for number in running if number in records]
    took_s = [each.seconds for each in tried if each.state == "finished"]
    return Progress(
        num_planned=walk.planned,
        outcomes=Counter(each.outcome for each in tried if each.outcome),
        num_running=len(running),
        left_s=rest_of(took_s, spent_s, walk.planned - walk.num_ended),
    )


def together(parts: Sequence[Progress]) -> Progress:
    """Of several that run one after another."""
    outcomes: Counter[str] = Counter()
    for each in parts:
        outcomes.update(each.outcomes)
    return Progress(
        num_planned=sum(each.num_planned for each in parts),
        outcomes=outcomes,
        num_running=sum(each.num_running for each in parts),
        left_s=None,
    )


def _left_s(ended: Sequence[TrialRecord], running: Sequence[TrialRecord], num_left: int, now_ms: float) -> float | None:
    """`rest_of` the trials; before one has ended, what the running ones have done tells how long they take."""
    timed = sorted((trial for trial in ended if trial.ended_ms > trial.started_ms), key=lambda each: each.ended_ms)
    took_s = [(trial.ended_ms - trial.started_ms) / 1000 for trial in timed]
    spent_s = [max(0.0, now_ms - trial.started_ms) / 1000 for trial in running]
    if not took_s:
        shares = [trial.progress for trial in running]
        took_s = [spent / share for spent, share in zip(spent_s, shares, strict=True) if share]
    return rest_of(took_s, spent_s, num_left)


def show_ago(then_ms: float, now_s: float | None = None) -> str:
    """`just now`, `12 min ago`, `3 h 30 min ago`, `4 days ago`."""
    seconds = max(0.0, (time.time() if now_s is None else now_s) - then_ms / 1000)
    if seconds < 60:
        return "just now"
    return f"{duration(seconds)} ago" if seconds < 172_800 else f"{seconds / 86_400:.0f} days ago"
