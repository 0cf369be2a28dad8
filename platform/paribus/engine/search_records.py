"""From the ledger's records to what is known of a search's trials."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from paribus.engine.samplers.sampler import Proposal
from paribus.engine.schedulers import Scheduler
from paribus.engine.walk import OF_THE_SETTING, State, Tried
from paribus.recipe import Recipe, RecipeError, trial_id
from paribus.study.plan import Trial
from paribus.study.search import Search
from paribus.study.space import Levels
from paribus.tracking.trials.record import TrialRecord

# A metric's values by epoch, by run id.
Curves = Mapping[str, Mapping[int, float]]


def trial_of(search: Search, number: int, levels: Levels, digest: Callable[[Recipe], str]) -> Trial:
    """Trial `number` (from 0) of the search. Raises RecipeError where the levels do not fit each other."""
    recipe, seeds = search.recipe_of(levels), search.seeds_of(number)
    name = trial_id(recipe, seeds, digest(recipe))
    return Trial(id=name, arm=search.arm_of(levels), replicate=number + 1, seeds=seeds, recipe=recipe)


def own_records(
    search: Search, records: Iterable[TrialRecord], digest: Callable[[Recipe], str]
) -> dict[int, TrialRecord]:
    """Those of the search's own trials, by number: what another walk or another space left there is none."""
    found: dict[int, TrialRecord] = {}
    for record in records:
        number, levels = record.replicate - 1, record.arm.as_dict()
        if number < 0 or search.domains.fault(levels):
            continue
        try:
            is_own = trial_of(search, number, levels, digest).id == record.trial_id
        except RecipeError:
            continue
        if is_own:
            found[number] = record
    return found


def tried_of(
    records: Mapping[int, TrialRecord], curves: Curves, scheduler: Scheduler, epochs: int, *, again: bool = True
) -> list[Tried]:
    """What the records say of each trial; with `again` those without a result are to be trained again, but
    for those whose setting is at fault."""
    return [
        _tried(number, each, curves.get(each.run_id, {}), scheduler, epochs, again) for number, each in records.items()
    ]


def begun_anew(each: Tried) -> Tried:
    """The same setting, to be trained again from its start."""
    return replace(each, state="interrupted", outcome=None, seen={}, metrics={}, reason="", failure=None)


def _tried(
    number: int, record: TrialRecord, curve: Mapping[int, float], scheduler: Scheduler, epochs: int, again: bool
) -> Tried:
    return Tried(
        number=number,
        levels=record.arm.as_dict(),
        state=_state(number, record, curve, scheduler, epochs, again),
        proposal=Proposal(record.arm.as_dict(), json.loads(record.proposal) if record.proposal else {}),
        outcome=record.outcome,
        seen=curve,
        metrics=record.metrics,
        seconds=sum(max(0, each.ended_ms - each.started_ms) for each in record.attempts.values()) / 1000,
        reason=record.reason,
        failure=record.failure,
    )


def _state(
    number: int, record: TrialRecord, curve: Mapping[int, float], scheduler: Scheduler, epochs: int, again: bool
) -> State:
    match record.outcome:
        case "finished":
            return "finished"
        case "stopped":
            return "stopped"
        case "failed" if again and record.failure not in OF_THE_SETTING:
            return "interrupted"
        case None:
            reached = max(curve, default=0)
            return "paused" if reached in scheduler.rungs_of(number, epochs)[:-1] else "interrupted"
        case _:
            return "failed"
