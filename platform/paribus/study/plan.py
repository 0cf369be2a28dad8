"""The plan: which trials a study is made of, and what is left to do for each."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Literal

from paribus.recipe import Recipe, Seeds, trial_id
from paribus.study.designs.arms import StudyError
from paribus.study.designs.matching import is_unmatched
from paribus.study.designs.noise_floor import floor_seeds
from paribus.study.searches.population import Lineage
from paribus.study.study import Study
from paribus.study.words import Arm, Outcome, arm_as_json

Action = Literal["skip", "start", "resume", "retry", "stale", "leave", "later"]
# Where a trial stands in a study: its arm and its replicate.
Place = tuple[Arm, int]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One arm at one replicate (1-based), with everything that its result depends on."""

    id: str
    arm: Arm
    replicate: int
    seeds: Seeds
    recipe: Recipe

    @property
    def name(self) -> str:
        """`residual_scale=0.1 · r2`."""
        return f"{self.arm.name} · r{self.replicate}"


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the ledger says of a trial: `outcome` is None while it runs, or if it was cut off."""

    outcome: Outcome | None
    code: str
    attempt: int
    run_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is to be done for one trial.

    `attempt` is the number that its next execution gets; `code` the digest of what it runs through; `run_id` names its
    run in the ledger, "" where there is none yet, None where the ledger could not be asked. Of a search: `proposal` is
    what its sampler wants to be told of again, and the trial pauses with a checkpoint after `until` epochs (0: never);
    `lineage` is of a trial that goes on from another one's checkpoint.
    """

    trial: Trial
    action: Action
    attempt: int
    run_id: str | None = None
    code: str = ""
    until: int = 0
    proposal: str = ""
    lineage: Lineage | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The steps of a study, replicate by replicate: all arms of replicate 1, then of 2, and so on."""

    study: Study
    steps: tuple[Step, ...]

    @property
    def todo(self) -> tuple[Step, ...]:
        """The steps that train."""
        return tuple(step for step in self.steps if step.action in ("start", "resume", "retry"))

    @property
    def queue(self) -> tuple[Step, ...]:
        """The steps that train, in the order in which they run: whole replicates, the arms of each shuffled.

        In one order for all, arms that take equally long would come to the same machine in every replicate, and what
        that machine does would be taken for the arm's doing. The order is a hash of what a trial is, so that it is the
        same in every run of the study and whatever is left of it.
        """
        return tuple(sorted(self.todo, key=lambda step: (step.trial.replicate, self._turn(step.trial))))

    def _turn(self, trial: Trial) -> bytes:
        arm = json.dumps(sorted(map(list, arm_as_json(trial.arm)), key=json.dumps))
        key = (self.study.name, self.study.seed, trial.replicate, arm)
        return sha256("\n".join(map(str, key)).encode()).digest()

    def counts(self) -> dict[Action, int]:
        """How many steps of each action."""
        return dict(Counter(step.action for step in self.steps))


def trials(study: Study, data_digest: Callable[[Recipe], str]) -> tuple[Trial, ...]:
    """Every trial of the study, replicate-major: stopped early, it still has whole replicates of all arms."""
    if is_unmatched(study):
        raise StudyError(
            f"the arms of {study.name!r} are to be matched on {study.match} and have not been: every command does so, "
            "and in a program paribus.engine.matched_arms.matched"
        )
    recipes = {arm: study.recipe_of(arm) for arm in study.arms}
    digests = {data: data_digest(recipe) for data, recipe in {r.data: r for r in recipes.values()}.items()}
    drawn = []
    for replicate in range(1, study.replicates + 1):
        seeds = Seeds.draw(study.seed, replicate)
        for arm, recipe in recipes.items():
            name = trial_id(recipe, seeds, digests[recipe.data])
            drawn.append(Trial(id=name, arm=arm, replicate=replicate, seeds=seeds, recipe=recipe))
        drawn += _again(study, replicate, lambda recipe: digests[recipe.data])
    return tuple(drawn)


def _again(study: Study, replicate: int, digest_of: Callable[[Recipe], str]) -> Iterator[Trial]:
    """The trials of the noise floor at one replicate."""
    seeds = floor_seeds(study.seed, replicate)
    for arm in study.floors:
        recipe = study.recipe_of(arm)
        name = trial_id(recipe, seeds, digest_of(recipe))
        yield Trial(id=name, arm=arm, replicate=replicate, seeds=seeds, recipe=recipe)


def places(drawn: Iterable[Trial]) -> dict[str, Place]:
    """Where each trial stands in the study, by its id and in the plan's order: what decides whose a result is."""
    return {trial.id: (trial.arm, trial.replicate) for trial in drawn}


def make_plan(
    study: Study,
    drawn: Iterable[Trial],
    known: Mapping[str, Known] | None,
    *,
    code: Callable[[Recipe], str],
    accept_code: bool = False,
    redo: bool = False,
    only: frozenset[Action] | None = None,
    wanted: Callable[[Trial], bool] = lambda trial: True,
) -> Plan:
    """Compare the trials of a study with what the ledger knows.

    Args:
        code: from a recipe to the digest of the sources that it runs through. A result by other code is `stale`, not
            reused, unless `accept_code`; `redo` trains it again instead.
        known: the ledger's records by trial id; None where the ledger could not be asked.
        only: keep to these actions (`retry` alone, say); what is left to do otherwise is `leave`.
        wanted: whether a trial is asked for by now; of those that are not, what is left to do is `later`.
    """
    steps = []
    code_of = cache(code)
    for trial in drawn:
        own = code_of(trial.recipe)
        record = (known or {}).get(trial.id)
        action = _action(record, own, accept_code)
        if redo and action == "stale":
            action = "retry"
        if action != "skip" and not wanted(trial):
            action = "later"
        if only is not None and action not in {*only, "skip", "later"}:
            action = "leave"
        run_id = None if known is None else record.run_id if record else ""
        attempt = record.attempt + 1 if record else 1
        steps.append(Step(trial=trial, action=action, attempt=attempt, run_id=run_id, code=own))
    return Plan(study=study, steps=tuple(steps))


def _action(record: Known | None, code: str, accept_code: bool) -> Action:
    if record is None:
        return "start"
    if record.outcome == "failed":
        return "retry"
    if record.outcome is None:
        return "resume"
    return "skip" if accept_code or record.code == code else "stale"
