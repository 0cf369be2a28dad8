"""From a study and the ledger to a plan, with what it can detect and what it will cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.engine.code_digest import trial_code
from paribus.engine.nearest import nearest_spread, unpaired_spread, values_by_arm
from paribus.engine.options import Options
from paribus.engine.outlook import Outlook, outlook_of, seconds_by_arm
from paribus.engine.variables import Prices, check_variables, prices
from paribus.errors import DataError
from paribus.plugins import has_own
from paribus.recipe import Recipe, RecipeError
from paribus.study.designs.effects import differences_in, questions_of
from paribus.study.designs.fractions import aliases
from paribus.study.document import matched_rows
from paribus.study.plan import Action, Known, Plan, Trial, make_plan, places, trials
from paribus.study.power import EffectPower, Power, power_of_effects, power_of_study
from paribus.study.settings import Settings, settings_of
from paribus.study.study import Study

if TYPE_CHECKING:
    from paribus.study.words import Arm
    from paribus.tracking.trials.record import TrialRecord


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A plan with what it promises. `seconds` is of one worker, summed over the trials to run; None: nothing timed yet.

    `num_untimed` of those trials are in arms that no trial of this plan has timed, and are priced by the others' mean.
    `outlook` is what other numbers of replicates would tell and cost. `note` says why the ledger is not part of it, ""
    where it is; `look` that running it is a look, "" where it is none; `records` are those of the plan's own trials.
    """

    plan: Plan
    power: Power
    outlook: Outlook
    prices: Prices
    seconds: float | None
    note: str
    num_untimed: int
    records: Sequence[TrialRecord] | None
    settings: Settings
    look: str
    pilot: bool = False

    def redone(self) -> frozenset[str]:
        """The digests of the code of results that are to be trained again."""
        again = {step.trial.id for step in self.plan.steps if step.action == "retry"}
        ended = [record for record in self.records or () if record.trial_id in again and record.outcome != "failed"]
        return frozenset(record.code or "unknown" for record in ended)

    @property
    def title(self) -> str:
        """The study's name, and its settings where they are others than its file's."""
        return self.settings.title(self.plan.study.name)

    @property
    def aliases(self) -> tuple[tuple[str, ...], ...]:
        """What the design cannot tell apart: main effects and interactions of two factors, a chain each."""
        study = self.plan.study
        return aliases(study.factors, study.resolution) if study.design == "fractional" else ()

    def as_dict(self) -> dict[str, Any]:
        """The plan as plain data, for `--json`."""
        return {
            "study": self.plan.study.name,
            "settings": self.settings.name,
            "counts": self.plan.counts(),
            "detectable": self.power.detectable,
            "num_contrasts": self.power.num_contrasts,
            "equivalence_power": self.power.equivalent,
            "replicates_for_equivalence": self.power.enough,
            "failures_needed": self.power.failures,
            "failure_rate_found": self.power.failure_rate,
            "effects": asdict(self.power.effects) if self.power.effects else None,
            "aliases": self.aliases,
            "matched": matched_rows(self.plan.study.matched),
            "sd": self.power.sd,
            "sd_source": self.power.source,
            "outlook": self.outlook.as_dict(),
            "currency": self.prices.currency or None,
            "worker_seconds": self.seconds,
            "num_untimed": self.num_untimed,
            "note": self.note,
            "look": self.look,
            "trials": [
                {
                    "id": s.trial.id,
                    "code": s.code,
                    "arm": s.trial.arm.as_dict(),
                    "replicate": s.trial.replicate,
                    "action": s.action,
                }
                for s in self.plan.steps
            ],
        }


def make_preview(
    study: Study,
    home: Path,
    records: Sequence[TrialRecord] | None,
    options: Options,
    *,
    only: frozenset[Action] | None = None,
    note: str = "",
    near: Callable[[], Sequence[TrialRecord]] = tuple,
) -> Preview:
    """The plan of a study given the ledger's records; None where the ledger could not be asked.

    `near` gives trials of other studies, whose spread stands for this one's as long as it has no replicates.

    Raises:
        DataError, AnalysisError: what training or the verdicts would refuse.
    """
    from paribus.shards.catalog import check_inputs, data_digest
    from paribus.tracking.studies.planned import of_plan

    def digest_of(recipe: Recipe) -> str:
        return data_digest(recipe, home)

    check_variables()
    check_own(study)
    check_inputs(map(study.recipe_of, study.arms), home)
    check_stages(study, home)
    samples = num_eval_of(study, home)
    drawn = trials(study, digest_of)
    own = None if records is None else of_plan(records, places(drawn))
    plan = make_plan(
        study,
        drawn,
        None if records is None else known_of(records),
        code=trial_code,
        accept_code=options.accept_code,
        redo=options.redo,
        only=only,
        wanted=_wanted(study, own or (), min(samples), options.pilot),
    )
    measured = {record.trial_id: record for record in own or ()}
    timed, paid = seconds_by_arm(plan, measured), prices()
    seconds, num_untimed = _seconds(plan, timed)
    reach = _reach(study, timed)
    power = _power(study, _spread(study, measured, drawn, near), min(samples), reach)
    step = study.primary.resolution(min(samples))
    return Preview(
        plan=plan,
        power=power,
        outlook=outlook_of(plan, power, reach, step, timed, paid),
        prices=paid,
        seconds=seconds,
        num_untimed=num_untimed,
        note=note,
        records=own,
        settings=settings_of(study, options.declared),
        look="",
        pilot=options.pilot is not None,
    )


def _wanted(study: Study, own: Sequence[TrialRecord], num_eval: int, pilot: int | None) -> Callable[[Trial], bool]:
    """Which trials are asked for by now: all, those of the next planned look, or a pilot's, which compare nothing."""
    if pilot is not None:
        first = {*study.baselines, *study.floors}
        return lambda trial: trial.arm in first and trial.replicate <= pilot
    if study.adaptive is None:
        return lambda trial: True
    from paribus.analysis.stages import asked_by_looks

    asked = asked_by_looks(study, [record.result() for record in own if record.outcome], num_eval)
    return lambda trial: trial.replicate <= asked[trial.arm]


def check_own(study: Study) -> None:
    """`check_own_of` the study's arms."""
    check_own_of(
        [study.recipe_of(arm) for arm in study.arms], f"study {study.name!r}", [arm.name for arm in study.arms]
    )


def check_own_of(recipes: Sequence[Recipe], whose: str, names: Sequence[str] = ()) -> None:
    """Try out what these recipes bring from outside, if anything: torch is imported for it, and not otherwise.

    Raises:
        RecipeError: it does not fit, draws from a global generator, or cannot be pickled.
    """
    if not any(map(has_own, recipes)):
        return
    from paribus.testing import check_recipe

    tried: set[object] = set()
    for index, recipe in enumerate(recipes):
        try:
            check_recipe(recipe, tried)
        except RecipeError as error:
            where = f"{whose}, arm {names[index]!r}" if names else whose
            raise RecipeError(f"{where}: {error}") from None


def check_stages(study: Study, home: Path) -> None:
    """Try the study's own `data.stages` on one real image of each split; nothing is imported where there are none.

    Raises:
        RecipeError, DataError: what a trial would end with at its beginning.
    """
    tried: set[object] = set()
    for arm in study.arms:
        recipe = study.recipe_of(arm)
        if not recipe.data.stages or (recipe.data, recipe.augment) in tried:
            continue
        from paribus.data.feed import try_stages

        tried.add((recipe.data, recipe.augment))
        try:
            try_stages(recipe, home)
        except (RecipeError, DataError) as error:
            raise type(error)(f"study {study.name!r}, arm {arm.name!r}: {error}") from None


def known_of(records: Sequence[TrialRecord]) -> dict[str, Known]:
    """What a plan needs of the ledger's trials, by trial id."""
    return {
        record.trial_id: Known(
            outcome=record.outcome,
            code=record.code,
            attempt=record.attempt,
            run_id=record.run_id,
        )
        for record in records
    }


def num_eval_of(study: Study, home: Path) -> list[int]:
    """How many evaluation examples each data set of the arms has: what the report would refuse is refused here.

    Raises:
        AnalysisError: the margin is below one evaluation example.
    """
    from paribus.shards.catalog import find
    from paribus.shards.fraction import num_evaluated

    samples = []
    for data in {study.recipe_of(arm).data for arm in study.arms}:
        samples.append(num_evaluated(find(data, home).manifest, data))
        metric = study.primary
        if study.margin < metric.resolution(samples[-1]):
            # It says why; imported only here, for a plan starts in under a second.
            from paribus.analysis.metrics import check_margin

            check_margin(study.margin, metric, samples[-1])
    return samples


def _spread(
    study: Study,
    measured: Mapping[str, TrialRecord],
    drawn: Sequence[Trial],
    near: Callable[[], Sequence[TrialRecord]],
) -> tuple[float, str]:
    """The sd of paired differences, and whose it is: of the plan's own trials, of the nearest study, or assumed."""
    metric = study.primary
    by_arm = values_by_arm(drawn, measured, study.metric)
    spreads = [sd for arm in study.arms if arm in by_arm and (sd := _delta_sd(study, arm, by_arm)) is not None]
    if spreads:
        return sorted(spreads)[len(spreads) // 2], f"the median over {len(spreads)} contrasts in the ledger"
    if unpaired := unpaired_spread(study, by_arm):
        return unpaired
    return nearest_spread(study, near()) or (metric.sd * 2**0.5, "assumed, until the ledger has replicates")


def _power(study: Study, spread: tuple[float, str], num_eval: int, reach: tuple[int, float]) -> Power:
    """What the study can tell whose paired differences have that sd, from that source."""
    metric, (sd, source), (replicates, alpha) = study.primary, spread, reach
    found = power_of_study(
        sd,
        source,
        replicates=replicates,
        num_contrasts=len(study.arms) - len(study.baselines),
        alpha=alpha,
        margin=study.margin,
        step=metric.resolution(num_eval),
    )
    return replace(found, effects=_power_of_effects(study, found.sd))


def _reach(study: Study, timed: Mapping[Arm, float]) -> tuple[int, float]:
    """The replicates of a verdict and the error that it may spend: of planned looks, those of the last in reach.

    In reach is a look that all arms can come to within the study's trials, and its hours where `timed` tells what a
    trial takes; who is resolved before leaves them more.
    """
    planned = study.adaptive
    if planned is None:
        return study.replicates, study.alpha
    from paribus.analysis.statistics.spending import level_at

    most = planned.trials or len(study.trained) * planned
    each = _hours_of_a_replicate(study, timed) if planned.hours is not None else 0.0
    within = (
        index
        for index, look in enumerate(planned.looks)
        if len(study.trained) * look <= most and each * look <= (planned.hours or 0.0)
    )
    index = max(within, default=0)  # the first look is trained whatever it takes
    return planned.looks[index], level_at(planned.looks, index, study.alpha, sides=2)


def _hours_of_a_replicate(study: Study, timed: Mapping[Arm, float]) -> float:
    """Hours of one replicate of all arms, of GPUs where they have any, else of workers; 0 where nothing is timed."""
    if not timed:
        return 0.0
    mean = sum(timed.values()) / len(timed)
    gpus = {arm: study.recipe_of(arm).resources.gpus for arm in study.trained}
    return sum(timed.get(arm, mean) * (gpus[arm] or 1.0) for arm in study.trained) / 3600


def _power_of_effects(study: Study, sd: float) -> EffectPower | None:
    """Of the main effect that rests on the fewest differences; None for a design without main effects."""
    planned = study.adaptive  # whose effects rest on the first look
    questions = questions_of(study, lambda arm: True)
    main = [differences_in(question) for question in questions if question.kind == "main"]
    if not main:
        return None
    return power_of_effects(
        sd,
        replicates=planned.looks[0] if planned else study.replicates,
        num_effects=len(questions),
        num_backgrounds=min(main),
        alpha=study.alpha,
    )


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


def _seconds(plan: Plan, timed: Mapping[Arm, float]) -> tuple[float | None, int]:
    """Worker-seconds of the trials to run, and how many of them are in arms that no trial of this plan has timed.

    Each is priced by the timings of its own arm, or by the mean of the other arms'.
    """
    if not timed:
        return None, len(plan.todo)
    overall = sum(timed.values()) / len(timed)
    priced = [timed.get(step.trial.arm) for step in plan.todo]
    return sum(overall if seconds is None else seconds for seconds in priced), priced.count(None)
