"""What people read of a study: one type, made of its plan and of what the ledger holds. Drawers draw it alone.

`reading` makes one from a ledger; `terminal`, `html_page`, `markdown`, `export` and the dashboard's pages draw it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from paribus.host.secrets import without_secrets
from paribus.report.costs import StudyCost
from paribus.report.drawing.cost_tables import cost_lines
from paribus.report.drawing.effect_tables import effect_rows
from paribus.report.drawing.tables import summary, verdict_rows
from paribus.report.headline import headline
from paribus.study.settings import Settings
from paribus.study.words import FAILED_TO_TRAIN
from paribus.study.words import Arm as Arm
from paribus.tracking.studies.planned import of_plan

if TYPE_CHECKING:
    from paribus.analysis.contrasts import Contrast as Contrast
    from paribus.analysis.looks import Looks
    from paribus.analysis.study_analysis import StudyAnalysis as StudyAnalysis
    from paribus.metrics.examples import Examples as Examples
    from paribus.report.costs import Before
    from paribus.report.views.curves import Curve
    from paribus.study.plan import Place
    from paribus.study.study import Study as Study
    from paribus.study.words import TrialResult
    from paribus.tracking.studies.record import StudyRecord as StudyRecord
    from paribus.tracking.trials.record import TrialRecord as TrialRecord

# An outcome, or how a trial stands that has none: at work, cut off before its end, not begun.
State = Literal["finished", "diverged", "dead", "stuck", "stopped", "failed", "running", "interrupted", "waiting"]
# Where the driver keeps a report's `as_dict` with the study.
VERDICTS_FILE = "verdicts.json"
# By which rule verdicts are reached; those that an earlier release wrote down by another are reached anew when read.
RULE = 2
# Trained through their budget, so that their time is an arm's cost.
_TO_THEIR_END = ("finished", "stuck")


def state_of(record: TrialRecord | None, live: bool | None = None) -> State:
    """The one word for how a trial stands; None: the ledger has no run of it.

    `live` says whether a driver is at work on its study: one that was killed left its trials marked as running. None
    where that is not known: then a trial is taken for what its run says.
    """
    if record is None:
        return "waiting"
    if record.outcome is not None:
        return record.outcome
    return "running" if record.running and live is not False else "interrupted"


def standing_of(record: StudyRecord) -> str:
    """The word for how a study stands: `running`, `paused`, `finished`, `failed (trials without a result)` or
    `interrupted`."""
    if record.paused is not None and record.status != "FINISHED":
        return "paused"
    if record.live:
        return "running"
    return {"FINISHED": "finished", "FAILED": "failed (trials without a result)"}.get(record.status, "interrupted")


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """A trial of the study's plan; `record` is None as long as the ledger has no run of it."""

    trial_id: str
    arm: Arm
    replicate: int
    state: State
    record: TrialRecord | None

    @property
    def name(self) -> str:
        """`residual_scale=0.1 · r2`."""
        return f"{self.arm.name} · r{self.replicate}"

    @property
    def logged(self) -> frozenset[str]:
        """The metrics of which there is a learning curve."""
        return frozenset(self.record.latest if self.record else ())


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """What one arm did and cost: `n` trials trained to their end, with `mean` and `sd` of the primary metric.

    `ended` counts its trials with any outcome, `failed_to_train` those that diverged, died or are stuck, `failed` those
    without a result. `params`, `flops` (of one image forward, two per multiply-add) and `seconds` (of a worker, the
    mean of the trials that were trained to their end) are None where no trial tells them.
    """

    arm: Arm
    is_baseline: bool
    n: int
    mean: float | None
    sd: float | None
    ended: int
    failed_to_train: int
    failed: int
    params: int | None
    flops: int | None
    seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What an analysis and the cost were made from beside the study and its trials: with it they can be made again.

    `examples` are those of the trials by id; the others are what `analyse` and `cost_of` take.
    """

    examples: Mapping[str, Examples] = field(default_factory=dict)
    num_eval: int | None = None
    looks: Looks | None = None
    broken: tuple[str, ...] = ()
    replicates: tuple[int, ...] = ()
    before: tuple[Before, ...] = ()

    @classmethod
    def of(
        cls,
        results: Iterable[TrialResult],
        num_eval: int | None,
        looks: Looks | None,
        broken: Iterable[str],
        before: Iterable[Before],
        replicates: Iterable[int] = (),
    ) -> Basis:
        """Of the results that were analysed, with what went into it beside them."""
        return cls(
            examples={result.trial_id: result.examples for result in results if result.examples is not None},
            num_eval=num_eval,
            looks=looks,
            broken=tuple(broken),
            replicates=tuple(replicates),
            before=tuple(before),
        )


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """A study as the ledger has it: its trials, its arms, and what was concluded.

    `analysis` is None where nothing was judged, `trouble` says why if it should have been; `study` is None where the
    ledger holds no document of it that can be read. `num_foreign` trials go by the study's name and are none of its
    plan. `notes` are on pairing, code, machines, looks and what is damaged or lost; `curves` the primary metric's;
    `cost` is what each conclusion took. `basis` is kept where a page is made, which proves its numbers by it.
    """

    name: str
    url: str
    study: Study | None
    trials: tuple[TrialRow, ...]
    analysis: StudyAnalysis | None = None
    arms: tuple[ArmRow, ...] = ()
    notes: tuple[str, ...] = ()
    curves: Sequence[Curve] = ()
    settings: Settings = field(default_factory=Settings)
    num_foreign: int = 0
    trouble: str = ""
    cost: StudyCost = field(default_factory=StudyCost)
    basis: Basis | None = None

    @property
    def title(self) -> str:
        """The study's name, and its settings where they are others than its file's."""
        return self.settings.title(self.name)

    @property
    def judged(self) -> StudyAnalysis:
        """The analysis, of a report that has one."""
        if self.analysis is None:
            raise ValueError(f"{self.title} was not judged: {self.trouble or 'it was asked how far it is'}")
        return self.analysis

    @property
    def begun(self) -> tuple[TrialRow, ...]:
        """The trials that have a run."""
        return tuple(row for row in self.trials if row.record is not None)

    @property
    def records(self) -> tuple[TrialRecord, ...]:
        """The records of the trials that have a run, in the plan's order."""
        return tuple(row.record for row in self.trials if row.record is not None)

    def compared(self) -> dict[str, list[str]]:
        """The arms by the baseline that they are compared with, itself first; under "" where the study is not known."""
        if self.study is None:
            return {"": sorted({row.arm.name for row in self.trials})}
        groups = {arm.name: [arm.name] for arm in self.study.baselines}
        for arm in self.study.trained:
            if (baseline := self.study.baseline_of(arm)) != arm:
                groups[baseline.name].append(arm.name)
        return groups

    def counts(self) -> dict[State, int]:
        """How many trials stand how."""
        return dict(Counter(row.state for row in self.trials))

    def lines(self) -> list[str]:
        """What stands below the tables: the claim, what pairing bought, what it cost, every note."""
        return [*(summary(self.analysis) if self.analysis else ()), *cost_lines(self.cost), *self.notes]

    def as_dict(self) -> dict[str, Any]:
        """Machine-readable verdicts: one row per contrast and per arm, the claim's outcome, counts and notes."""
        found, claim = self.judged, self.judged.claim
        return {
            "study": self.name,
            "settings": self.settings.name,
            "rule": RULE,
            "looks": self._looks(found),
            "question": found.question,
            "headline": headline(found),
            "verdicts": verdict_rows(found),
            "effects": effect_rows(found),
            "arms": [{**asdict(row), "arm": row.arm.name} for row in self.arms],
            "cost": self.cost.as_dict(),
            "counts": found.verdict_counts(),
            "outcomes": dict(found.outcomes),
            "claim": {"text": claim.claim.text, "source": claim.claim.source, "outcome": claim.outcome}
            if claim
            else None,
            "caveats": {path: without_secrets(str(value)) for path, value in found.caveats.items()},
            "notes": self.lines(),
        }

    @staticmethod
    def _looks(analysis: StudyAnalysis) -> dict[str, Any] | None:
        looks, contrasts = analysis.looks, analysis.contrasts
        if not looks:
            return None
        most = max(contrast.stability.n for contrast in contrasts)
        rates = asdict(looks.rates(most, len(contrasts), analysis.alpha))
        # A margin or metric that was chosen after looking leaves no error rate that could be told.
        rates = dict.fromkeys(rates) if looks.changed_terms else rates
        chosen = [asdict(each) for each in looks.chosen]
        return {"phrase": looks.phrase(), "own": looks.own, "other_seeds": looks.elsewhere, "chosen": chosen, **rates}


def trial_rows(
    everything: Iterable[TrialRecord], places: Mapping[str, Place], live: bool | None
) -> tuple[TrialRow, ...]:
    """Which trials are a study's own, those at `places`, and how each stands; in the plan's order."""
    own = {record.trial_id: record for record in of_plan(everything, places)}
    return tuple(
        TrialRow(trial_id=name, arm=arm, replicate=replicate, record=own.get(name), state=state_of(own.get(name), live))
        for name, (arm, replicate) in places.items()
    )


def arm_rows(analysis: StudyAnalysis, trials: Sequence[TrialRow]) -> tuple[ArmRow, ...]:
    """The arms of a judged study, with what its trials say of their cost."""
    rows = []
    for found in analysis.arms:
        own = [row for row in trials if row.arm == found.arm]
        states = Counter(row.state for row in own)
        mean = found.means.get(analysis.metric.name)
        rows.append(
            ArmRow(
                arm=found.arm,
                is_baseline=found.is_baseline,
                n=mean.n if mean else 0,
                mean=mean.mean if mean and mean.n else None,
                sd=mean.sd if mean and isfinite(mean.sd) else None,
                ended=sum(found.outcomes.values()),
                failed_to_train=sum(states[word] for word in FAILED_TO_TRAIN),
                failed=states["failed"],
                params=_size(own, "num_params"),
                flops=_size(own, "flops"),
                seconds=_seconds(own),
            )
        )
    return tuple(rows)


def _size(rows: Sequence[TrialRow], name: str) -> int | None:
    told = (row.record.metrics.get(name) for row in rows if row.record)
    return next((int(number) for number in told if number is not None), None)


def _seconds(rows: Sequence[TrialRow]) -> float | None:
    through = (row.record.metrics.get("total_s") for row in rows if row.record and row.state in _TO_THEIR_END)
    told = [seconds for seconds in through if seconds is not None]
    return fmean(told) if told else None
