"""What more replicates, or fewer, would tell and cost: the curve of a plan, and whether it can resolve its margin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from paribus.engine.variables import Prices
from paribus.study.plan import Plan
from paribus.study.power import Power
from paribus.study.reach import PowerPoint, power_curve, replicates_for_effect

if TYPE_CHECKING:
    from paribus.study.study import Study
    from paribus.study.words import Arm
    from paribus.tracking.trials.record import TrialRecord

_REPLICATES = (3, 5, 8, 12, 20, 30)
# A margin may take thousands: beyond these it is told in words alone.
_MOST_IN_CURVE = 200


@dataclass(frozen=True, kw_only=True)
class Option:
    """One number of replicates: what it tells, and what is left to train for it.

    `seconds` are a worker's and `gpu_s` a GPU's, by this plan's own timings, None where none is timed; `money` is None
    without a price.
    """

    tells: PowerPoint
    trials: int
    seconds: float | None
    gpu_s: float | None
    money: float | None

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for `--json`."""
        return {**asdict(self.tells), **{name: value for name, value in asdict(self).items() if name != "tells"}}


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The curve of a study, and what its margin takes.

    `replicates` are those of a verdict, of planned looks those of the last within the budget. `for_effect` of them find
    an effect of the margin's size with 80 % power, `for_equivalence` call an arm without any effect equivalent; None
    beyond 10,000.
    """

    options: tuple[Option, ...]
    replicates: int
    for_effect: int | None
    for_equivalence: int | None

    @property
    def needed(self) -> int | None:
        """The replicates that resolve the margin either way; None beyond 10,000."""
        both = (self.for_effect, self.for_equivalence)
        return None if None in both else max(filter(None, both))

    @property
    def resolves(self) -> bool:
        """Whether the study's replicates resolve its margin, whichever side of it the truth is on."""
        return self.needed is not None and self.needed <= self.replicates

    def at(self, replicates: int | None) -> Option | None:
        """The option of that number, if the curve has it."""
        return next((option for option in self.options if option.tells.replicates == replicates), None)

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for `--json`."""
        return {
            "resolves_margin": self.resolves,
            "replicates_for_effect_of_margin": self.for_effect,
            "replicates_for_margin": self.needed,
            "options": [option.as_dict() for option in self.options],
        }


def outlook_of(
    plan: Plan,
    power: Power,
    reach: tuple[int, float],
    step: float,
    seconds: Mapping[Arm, float],
    prices: Prices,
) -> Outlook:
    """The outlook of a plan; `reach` are the replicates of its verdict and the error that it may spend.

    `seconds` are a worker's for one trial of each arm, {} where nothing is timed; `step` is the metric's smallest.
    """
    study, (replicates, alpha) = plan.study, reach
    level = alpha / max(power.num_contrasts, 1)
    for_effect = replicates_for_effect(study.margin, power.sd, level)
    needed = max(filter(None, (for_effect, power.enough)), default=0)
    points = power_curve(power, _levels(study, needed), study.margin, step) if power.num_contrasts else []
    return Outlook(
        options=tuple(_option(plan, point, seconds, prices) for point in points),
        replicates=replicates,
        for_effect=for_effect,
        for_equivalence=power.enough,
    )


def _levels(study: Study, needed: int) -> list[tuple[int, float]]:
    """The numbers of replicates to look at, each with the error that a verdict may spend there."""
    if study.adaptive is None:
        own = {study.replicates, needed} if needed <= _MOST_IN_CURVE else {study.replicates}
        return [(replicates, study.alpha) for replicates in sorted({*_REPLICATES, *own} - {0})]
    from paribus.analysis.statistics.spending import level_at

    looks = study.adaptive.looks
    return [(look, level_at(looks, index, study.alpha, sides=2)) for index, look in enumerate(looks)]


def _option(plan: Plan, tells: PowerPoint, seconds: Mapping[Arm, float], prices: Prices) -> Option:
    """What is left to train for so many replicates of every arm; an arm that none has timed costs the others' mean."""
    done = dict.fromkeys(plan.study.trained, 0)
    for step in plan.steps:
        done[step.trial.arm] += step.action == "skip" and step.trial.replicate <= tells.replicates
    left = {arm: tells.replicates - ended for arm, ended in done.items()}
    trials = sum(left.values())
    if not seconds:
        return Option(tells=tells, trials=trials, seconds=None, gpu_s=None, money=None)
    mean = sum(seconds.values()) / len(seconds)
    worker = {arm: num * seconds.get(arm, mean) for arm, num in left.items()}
    gpu = {arm: took * plan.study.recipe_of(arm).resources.gpus for arm, took in worker.items()}
    priced = [prices.of(worker[arm], gpu[arm]) for arm in worker if worker[arm]]
    money = None if None in priced else sum(each for each in priced if each is not None)
    has_price = prices.gpu_hour is not None or prices.worker_hour is not None
    return Option(
        tells=tells,
        trials=trials,
        seconds=sum(worker.values()),
        gpu_s=sum(gpu.values()),
        money=money if has_price else None,
    )


def seconds_by_arm(plan: Plan, measured: Mapping[str, TrialRecord]) -> dict[Arm, float]:
    """The mean worker-seconds of a trial of each arm that some trial of this plan has timed.

    Trials of other settings, which may be shorter, or of another network, price nothing.
    """
    timed: dict[Arm, list[float]] = {}
    for step in plan.steps:
        record = measured.get(step.trial.id)
        if record is not None and "total_s" in record.metrics:
            timed.setdefault(step.trial.arm, []).append(record.metrics["total_s"])
    return {arm: sum(seconds) / len(seconds) for arm, seconds in timed.items()}
