"""All studies at a glance: which are asked for, in which order, and what went wrong lately."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from paribus.report.study_report import standing_of
from paribus.study.words import STANDINGS as STANDINGS

if TYPE_CHECKING:
    from paribus.report.study_report import StudyRecord, TrialRow

DAY_MS: Final = 86_400_000.0
# By which a list is ordered, with the words for people.
ORDERS: Final[Mapping[str, str]] = {"touched": "latest first", "name": "by name", "trials": "most trials first"}
_KEYS: Final[Mapping[str, Callable[[StudyRecord], Any]]] = {
    "touched": lambda record: -record.updated_ms,
    "name": lambda record: (record.title.lower(), record.settings.digest),
    "trials": lambda record: -record.num_planned,
}


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Trials of a study without a result that ended lately; `reason` is that of the last, which ended at `last_ms`."""

    record: StudyRecord
    count: int
    last_ms: float
    reason: str


def word_of(record: StudyRecord) -> str:
    """The one of STANDINGS for how a study stands."""
    return standing_of(record).split(" ")[0]


def wanted(
    records: Iterable[StudyRecord], *, text: str = "", state: str = "", order: str = "touched"
) -> list[StudyRecord]:
    """Those whose name, settings or question has every word of `text`, in any case, that stand so, in that order."""
    words = text.lower().split()
    found = [record for record in records if not state or word_of(record) == state]
    found = [record for record in found if all(word in f"{record.title} {record.question}".lower() for word in words)]
    return sorted(found, key=_KEYS[order])


def may_have_failed(record: StudyRecord, since_ms: float) -> bool:
    """Whether trials of it may have failed since then, by what its driver said last: no trial is read."""
    return record.updated_ms >= since_ms and record.counts.get("failed", 0) > 0


def failures_since(record: StudyRecord, rows: Sequence[TrialRow], since_ms: float) -> Failures | None:
    """What failed of a study since then; None where nothing did."""
    failed = [row.record for row in rows if row.record and row.state == "failed" and row.record.ended_ms >= since_ms]
    if not failed:
        return None
    last = max(failed, key=lambda trial: trial.ended_ms)
    return Failures(record=record, count=len(failed), last_ms=last.ended_ms, reason=last.reason)


def stopped_since(records: Iterable[StudyRecord], since_ms: float) -> list[StudyRecord]:
    """The studies whose drivers ended before they did, since then."""
    return [record for record in records if record.updated_ms >= since_ms and word_of(record) == "interrupted"]
