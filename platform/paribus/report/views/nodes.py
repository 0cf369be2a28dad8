"""Which machines train what now, and what the last day came to on each: as the ledger tells it, without asking Ray."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from paribus.report.study_report import StudyRecord, TrialRow
    from paribus.tracking.trials.record import Attempt, TrialRecord

UNNAMED: Final = "not named"
_SPEED, _WAIT = "images_per_s", "data_wait"


@dataclass(frozen=True, kw_only=True)
class AtWork:
    """A trial that trains now; `images_per_s` and `data_wait` (a share of the time) are of its last epoch, or None."""

    study: StudyRecord
    row: TrialRow
    node: str
    since_ms: int
    progress: float | None
    images_per_s: float | None
    data_wait: float | None


@dataclass(frozen=True, kw_only=True)
class Node:
    """One machine: what trains on it, and by outcome the attempts of the asked-for time that ended on it.

    `devices` are those that its ended trials name.
    """

    name: str
    at_work: tuple[AtWork, ...] = ()
    ended: Mapping[str, int] = field(default_factory=dict)
    devices: tuple[str, ...] = ()

    @property
    def images_per_s(self) -> float | None:
        """Of all its trials together; None as long as none has ended an epoch."""
        told = [each.images_per_s for each in self.at_work if each.images_per_s is not None]
        return sum(told) if told else None

    @property
    def data_wait(self) -> float | None:
        """The mean share of the time that its trials waited for data."""
        told = [each.data_wait for each in self.at_work if each.data_wait is not None]
        return fmean(told) if told else None

    @property
    def lost(self) -> int:
        """Attempts that failed, or were cut off."""
        return self.ended.get("failed", 0) + self.ended.get("interrupted", 0)


def nodes(studies: Iterable[tuple[StudyRecord, Sequence[TrialRow]]], since_ms: float) -> list[Node]:
    """The machines of these studies' trials, those at work first; attempts count that ended at `since_ms` or later."""
    at_work: dict[str, list[AtWork]] = {}
    ended: dict[str, Counter[str]] = {}
    devices: dict[str, set[str]] = {}
    for study, rows in studies:
        for row in rows:
            if row.record is None:
                continue
            if row.state == "running":
                working = _at_work(study, row, row.record)
                at_work.setdefault(working.node, []).append(working)
            for attempt in row.record.attempts.values():
                if attempt.outcome and attempt.ended_ms >= since_ms:
                    ended.setdefault(attempt.host or UNNAMED, Counter())[attempt.outcome] += 1
            if row.record.device and row.record.ended_ms >= since_ms:
                devices.setdefault(_host(row.record), set()).add(row.record.device)
    found = [
        Node(
            name=name,
            at_work=tuple(sorted(at_work.get(name, ()), key=lambda each: each.since_ms)),
            ended=dict(ended.get(name, {})),
            devices=tuple(sorted(devices.get(name, ()))),
        )
        for name in {*at_work, *ended}
    ]
    return sorted(found, key=lambda node: (-len(node.at_work), node.name))


def _at_work(study: StudyRecord, row: TrialRow, record: TrialRecord) -> AtWork:
    newest = _newest(record)
    speed, wait = (record.latest.get(name) for name in (_SPEED, _WAIT))
    return AtWork(
        study=study,
        row=row,
        node=_host(record),
        since_ms=newest.started_ms if newest else record.started_ms,
        progress=record.progress,
        images_per_s=speed.value if speed else None,
        data_wait=wait.value if wait else None,
    )


def _newest(record: TrialRecord) -> Attempt | None:
    return record.attempts.get(record.attempt)


def _host(record: TrialRecord) -> str:
    newest = _newest(record)
    return (newest.host if newest else "") or record.node or UNNAMED
