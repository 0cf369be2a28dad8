"""What a study's conclusions cost: the hours of workers and GPUs by contrast, and those that came to nothing.

Every hour stands in one row. A contrast has those of its arm's trials, and of its baseline's the share of one among
all that are compared with it. What an attempt did is kept where a later one went on from its checkpoint: the trial's
own `total_s` counts the training that its result rests on, over all attempts. The hours of the search that a study
confirms, and of the tuning of its arms, are part of what its conclusions cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from paribus.engine.variables import Prices
from paribus.study.words import FAILED_TO_TRAIN
from paribus.tracking.trials.record import INTERRUPTED

if TYPE_CHECKING:
    from paribus.analysis.study_analysis import StudyAnalysis
    from paribus.report.study_report import TrialRow
    from paribus.study.study import Study
    from paribus.study.words import Arm
    from paribus.tracking.trials.record import Attempt, TrialRecord

# Where hours went: into a contrast, into an arm that is compared with none, into the search or the tuning that led to
# the study, or into what no number rests on.
Kind = Literal[
    "contrast", "arm", "search", "tuning", "failed", "cut off", "trained again", "stopped", "interrupted", "running"
]
# What was spent before there was a study to judge, its failures and what was cut included: that is how it is found.
BEFORE: tuple[Kind, ...] = ("search", "tuning")
LOST: tuple[Kind, ...] = ("failed", "cut off", "trained again", "stopped", "interrupted")
_RESULTS = ("finished", *FAILED_TO_TRAIN)
_CONCLUSIONS = ("better", "worse", "equivalent")


@dataclass(frozen=True, kw_only=True)
class Before:
    """The trials of the search that a study confirms, or of the tuning of the arm `name`."""

    kind: Literal["search", "tuning"]
    name: str
    records: Sequence[TrialRecord]


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """Hours that went into one thing, of `trials` trials; `money` is None where no price is set.

    `name` is the contrast's arm, and `baseline` what it is compared with; or the search, or the arm that was tuned.
    """

    kind: Kind
    name: str = ""
    baseline: str = ""
    verdict: str = ""
    trials: int
    worker_hours: float
    gpu_hours: float
    money: float | None


@dataclass(frozen=True, kw_only=True)
class StudyCost:
    """The cost of a study by what it went into; `conclusions` are the contrasts with a verdict on quality or failures.

    `untimed` trials have a result and tell no time, as of earlier releases: they are in no row.
    """

    rows: tuple[CostRow, ...] = ()
    conclusions: int = 0
    untimed: int = 0
    prices: Prices = field(default_factory=Prices)

    @property
    def unit(self) -> str:
        """What hours are counted in: those of GPUs where there was one."""
        return "GPU-hours" if any(row.gpu_hours for row in self.rows) else "worker-hours"

    def hours(self, *kinds: Kind) -> float:
        """The hours in `unit` of rows of these kinds; of all without any."""
        rows = [row for row in self.rows if not kinds or row.kind in kinds]
        return sum(row.gpu_hours if self.unit == "GPU-hours" else row.worker_hours for row in rows)

    @property
    def money(self) -> float | None:
        """The price of all of it; None where an hour of some row has no price."""
        priced = [row.money for row in self.rows if row.worker_hours]
        return sum(each for each in priced if each is not None) if priced and None not in priced else None

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for `--json`."""
        return {
            "unit": self.unit,
            "hours": self.hours(),
            "lost_hours": self.hours(*LOST),
            "hours_before": self.hours(*BEFORE),
            "conclusions": self.conclusions,
            "hours_per_conclusion": self.hours() / self.conclusions if self.conclusions else None,
            "money": self.money,
            "currency": self.prices.currency or None,
            "untimed": self.untimed,
            "rows": [asdict(row) for row in self.rows],
        }


def cost_of(
    study: Study, analysis: StudyAnalysis, trials: Sequence[TrialRow], prices: Prices, before: Sequence[Before] = ()
) -> StudyCost:
    """The cost of a judged study, from the timings that its trials' records hold, and of what came `before` it."""
    sums: dict[tuple[Kind, Arm | None], _Sum] = {}
    untimed = 0
    for row in trials:
        if row.record is None:
            continue
        spent = _spent(row)
        untimed += not spent and row.state in _RESULTS
        gpus = gpus_of(row.record)
        for kind, seconds in spent.items():
            arm = row.arm if kind == "arm" else None
            sums.setdefault((kind, arm), _Sum()).add(seconds, gpus, prices)
    rows = [*_of_contrasts(analysis, sums), *_of_before(before, prices), *_of_others(study, sums)]
    decided = sum((contrast.verdict or "").startswith(_CONCLUSIONS) for contrast in analysis.contrasts)
    return StudyCost(rows=tuple(rows), conclusions=decided, untimed=untimed, prices=prices)


@dataclass
class _Sum:
    """Seconds that are added up, and their price."""

    trials: int = 0
    worker_s: float = 0.0
    gpu_s: float = 0.0
    money: float | None = 0.0

    def add(self, seconds: float, gpus: float, prices: Prices) -> None:
        price = prices.of(seconds, seconds * gpus)
        self.trials += 1
        self.worker_s += seconds
        self.gpu_s += seconds * gpus
        self.money = None if price is None or self.money is None else self.money + price

    def plus(self, other: _Sum, share: float) -> _Sum:
        """This, and a share of the other's hours."""
        known = self.money is not None and other.money is not None
        return _Sum(
            trials=self.trials + other.trials,
            worker_s=self.worker_s + share * other.worker_s,
            gpu_s=self.gpu_s + share * other.gpu_s,
            money=(self.money or 0.0) + share * (other.money or 0.0) if known else None,
        )

    def row(self, kind: Kind, name: str = "", baseline: str = "", verdict: str = "") -> CostRow:
        return CostRow(
            kind=kind,
            name=name,
            baseline=baseline,
            verdict=verdict,
            trials=self.trials,
            worker_hours=self.worker_s / 3600,
            gpu_hours=self.gpu_s / 3600,
            money=self.money,
        )


def _of_contrasts(analysis: StudyAnalysis, sums: Mapping[tuple[Kind, Arm | None], _Sum]) -> list[CostRow]:
    sharing = Counter(contrast.baseline for contrast in analysis.contrasts)
    rows = []
    for contrast in analysis.contrasts:
        own, shared = (sums.get(("arm", arm), _Sum()) for arm in (contrast.arm, contrast.baseline))
        whole = own.plus(shared, 1 / sharing[contrast.baseline])
        rows.append(whole.row("contrast", contrast.arm.name, contrast.baseline.name, contrast.verdict or ""))
    return rows


def _of_before(before: Sequence[Before], prices: Prices) -> list[CostRow]:
    rows = []
    for each in before:
        whole = _Sum()
        for record in each.records:
            whole.add(*seconds_of(record), prices)
        rows.append(whole.row(each.kind, each.name))
    return rows


def _of_others(study: Study, sums: Mapping[tuple[Kind, Arm | None], _Sum]) -> list[CostRow]:
    compared = {arm for arm in study.arms if study.baseline_of(arm) != arm}
    seen = compared | {study.baseline_of(arm) for arm in compared}
    alone = [found.row("arm", arm.name) for (_, arm), found in sums.items() if arm and arm not in seen]
    kinds: tuple[Kind, ...] = (*LOST, "running")
    return [*alone, *(sums[kind, None].row(kind) for kind in kinds if (kind, None) in sums)]


def _spent(row: TrialRow) -> dict[Kind, float]:
    """Seconds of a worker that a trial took, by what became of them."""
    record = row.record
    assert record is not None
    walls = _walls(record)
    if row.state not in _RESULTS:
        kind: Kind = row.state if row.state in ("stopped", "interrupted", "running") else "failed"
        return _split(record, walls, kind, 0.0)
    trained = record.metrics.get("total_s", 0.0)
    return _split(record, walls, "arm", max(0.0, trained - walls[max(walls)]) if walls else trained)


def _split(record: TrialRecord, walls: Mapping[int, float], last: Kind, kept_s: float) -> dict[Kind, float]:
    """The newest attempt's time is of the kind `last`, and so are `kept_s` seconds of those before it."""
    newest = max(walls, default=0)
    spent: dict[Kind, float] = {last: walls[newest]} if walls else {}
    for number in sorted(set(walls) - {newest}, reverse=True):
        outcome = record.attempts[number].outcome
        done = outcome not in ("", INTERRUPTED, "failed")
        kept = 0.0 if done else min(kept_s, walls[number])
        kept_s -= kept
        spent[last] += kept
        if lost := walls[number] - kept:
            kind: Kind = "trained again" if done else "failed" if outcome == "failed" else "cut off"
            spent[kind] = spent.get(kind, 0.0) + lost
    # What no attempt's clock tells of: an attempt of which nothing is left, a clock that was set back.
    spent[last] = spent.get(last, 0.0) + kept_s
    return {kind: seconds for kind, seconds in spent.items() if seconds}


def _walls(record: TrialRecord) -> dict[int, float]:
    """Seconds from each attempt's beginning to its end, or to the last that is known of it; {} where none is told."""
    numbers = [number for number in sorted(record.attempts) if record.attempts[number].started_ms]
    if not numbers:
        return {}
    last = max((point.time_ms for point in record.latest.values()), default=0)
    ends = {one: _end(record.attempts[one], record.attempts[after].started_ms) for one, after in pairwise(numbers)}
    # A run that was found dead is closed when it is found, which may be the next day.
    ends[numbers[-1]] = _end(record.attempts[numbers[-1]], 0) or (record.ended_ms if record.outcome else last)
    return {number: max(0, ends[number] - record.attempts[number].started_ms) / 1000 for number in numbers}


def _end(attempt: Attempt, next_ms: int) -> int:
    """When an attempt ended, in ms; one that was cut off lived no longer than to the beginning of the next."""
    known = [time for time in (attempt.ended_ms, next_ms) if time]
    return min(known, default=0) if attempt.outcome in ("", INTERRUPTED) else attempt.ended_ms


def seconds_of(record: TrialRecord) -> tuple[float, float]:
    """The seconds of a worker that all attempts of a trial took together, and its GPUs."""
    walls = _walls(record)
    return sum(walls.values()) if walls else record.metrics.get("total_s", 0.0), gpus_of(record)


def gpus_of(record: TrialRecord) -> float:
    """The GPUs of a trial, as its result tells it; else as it was asked for."""
    seconds, gpu_s = record.metrics.get("total_s"), record.metrics.get("gpu_s")
    if seconds and gpu_s is not None:
        return gpu_s / seconds
    try:
        return float(record.params.get("resources.gpus", 0.0))
    except ValueError:
        return 0.0
