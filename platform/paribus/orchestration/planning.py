"""From a study and the ledger to a plan, with what it can detect and what it will cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.orchestration.code_digest import code_digest
from paribus.orchestration.options import Options
from paribus.recipe import Recipe
from paribus.study.plan import Action, Known, Plan, make_plan, places, trials
from paribus.study.power import DEFAULT_SD, Power, detectable
from paribus.study.settings import Settings, settings_of
from paribus.study.study import Study

if TYPE_CHECKING:
    from paribus.study.words import Arm
    from paribus.tracking.ledger_records import TrialRecord


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A plan with what it promises. `seconds` is of one worker, summed over the trials to run; None: nothing timed yet.

    `note` says why the ledger is not part of it, "" where it is; `records` are those of the plan's own trials.
    """

    plan: Plan
    power: Power
    seconds: float | None
    note: str
    records: Sequence[TrialRecord] | None = None
    settings: Settings = field(default_factory=Settings)

    @property
    def title(self) -> str:
        """The study's name, and its settings where they are others than its file's."""
        return self.settings.title(self.plan.study.name)

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data, for `--json`."""
        return {
            "study": self.plan.study.name,
            "settings": self.settings.name,
            "counts": self.plan.counts(),
            "detectable": self.power.detectable,
            "sd": self.power.sd,
            "sd_source": self.power.source,
            "worker_seconds": self.seconds,
            "note": self.note,
            "trials": [
                {"id": s.trial.id, "arm": s.trial.arm.as_dict(), "replicate": s.trial.replicate, "action": s.action}
                for s in self.plan.steps
            ],
        }


def look_out(
    study: Study,
    home: Path,
    records: Sequence[TrialRecord] | None,
    options: Options,
    *,
    only: frozenset[Action] | None = None,
    note: str = "",
) -> Outlook:
    """The plan of a study given the ledger's records; None where the ledger could not be asked."""
    from paribus.data.catalog import check_inputs, data_digest
    from paribus.tracking.planned import of_plan

    def digest_of(recipe: Recipe) -> str:
        return data_digest(recipe, home)

    check_inputs(map(study.recipe_of, study.arms), home)
    drawn = trials(study, digest_of)
    plan = make_plan(
        study,
        drawn,
        None if records is None else known_of(records),
        code=code_digest(),
        accept_code=options.accept_code,
        redo=options.redo,
        only=only,
    )
    own = None if records is None else of_plan(records, places(drawn))
    found = own or ()
    return Outlook(
        plan=plan,
        power=_power(study, found),
        seconds=_seconds(plan, found),
        note=note,
        records=own,
        settings=settings_of(study, options.declared),
    )


def known_of(records: Sequence[TrialRecord]) -> dict[str, Known]:
    """What a plan needs of the ledger's trials, by trial id."""
    return {
        record.trial_id: Known(
            outcome=record.outcome,
            code=record.tags.get("paribus.code", ""),
            attempt=record.attempt,
            run_id=record.run_id,
        )
        for record in records
    }


def _power(study: Study, records: Sequence[TrialRecord]) -> Power:
    """From the spread of the study's own deltas where the ledger has some, else from a stated default."""
    by_arm: dict[Arm, dict[int, float]] = {}
    for record in records:
        if record.outcome == "finished" and study.metric in record.metrics and record.arm in study.arms:
            by_arm.setdefault(record.arm, {})[record.replicate] = record.metrics[study.metric]
    spreads = [sd for arm in by_arm if (sd := _delta_sd(study, arm, by_arm)) is not None]
    if spreads:
        sd = sorted(spreads)[len(spreads) // 2]
        source = f"the median over {len(spreads)} contrasts in the ledger"
    else:
        sd, source = DEFAULT_SD[study.metric] * 2**0.5, "assumed, until the ledger has replicates"
    return Power(detectable=detectable(sd, study.replicates, study.alpha), sd=sd, source=source)


def _delta_sd(study: Study, arm: Arm, by_arm: Mapping[Arm, Mapping[int, float]]) -> float | None:
    other = by_arm.get(study.baseline_of(arm))
    if other is None or study.baseline_of(arm) == arm:
        return None
    deltas = [by_arm[arm][r] - other[r] for r in by_arm[arm] if r in other]
    if len(deltas) < 3:
        return None
    mean = sum(deltas) / len(deltas)
    sd = (sum((delta - mean) ** 2 for delta in deltas) / (len(deltas) - 1)) ** 0.5
    return sd or None


def _seconds(plan: Plan, records: Sequence[TrialRecord]) -> float | None:
    """Worker-seconds of the trials to run, each priced by its own arm's timings, or by all arms' where it has none."""
    timed: dict[Arm, list[float]] = {}
    for record in records:
        if "total_s" in record.metrics:
            timed.setdefault(record.arm, []).append(record.metrics["total_s"])
    if not timed:
        return None
    means = {arm: sum(seconds) / len(seconds) for arm, seconds in timed.items()}
    overall = sum(means.values()) / len(means)
    return sum(means.get(step.trial.arm, overall) for step in plan.todo)
