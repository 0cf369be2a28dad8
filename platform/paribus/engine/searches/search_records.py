"""From the ledger's records to what is known of a search's trials."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from paribus.engine.samplers.sampler import Proposal
from paribus.engine.schedulers import Scheduler
from paribus.engine.schedulers.tune.tune_news import BEGUN, ENDED, when_heard
from paribus.engine.searches.tried import State, Tried, is_lost
from paribus.recipe import Recipe, RecipeError, trial_id
from paribus.study.plan import Trial
from paribus.study.searches.population import lineage_of
from paribus.study.searches.search import Search
from paribus.study.searches.space import Levels
from paribus.tracking.curves import Curve
from paribus.tracking.trials.record import TrialRecord

# A metric's values by epoch, by run id.
Curves = Mapping[str, Mapping[int, float]]


def trial_of(search: Search, number: int, levels: Levels, digest: Callable[[Recipe], str], parent: str = "") -> Trial:
    """Trial `number` (from 0) of the search, going on from the one with the id `parent`, if any.

    Raises:
        RecipeError: the levels do not fit each other.
    """
    recipe, seeds = search.recipe_of(levels), search.seeds_of(number, parent)
    name = trial_id(recipe, seeds, digest(recipe))
    return Trial(id=name, arm=search.arm_of(levels), replicate=number + 1, seeds=seeds, recipe=recipe)


def own_records(
    search: Search, records: Iterable[TrialRecord], digest: Callable[[Recipe], str]
) -> dict[int, TrialRecord]:
    """Those of the search's own trials, by number: what another walk or another space left there is none.

    A trial that goes on from another one is its own where that one is, by whose id it is known.
    """
    found: dict[int, TrialRecord] = {}
    for record in sorted(records, key=lambda each: (each.replicate, each.started_ms)):
        number, levels, lineage = record.replicate - 1, record.arm.as_dict(), lineage_of(record.lineage)
        if number < 0 or search.domains.fault(levels):
            continue
        if lineage and (lineage.parent not in found or found[lineage.parent].trial_id != lineage.trial):
            continue
        try:
            own = trial_of(search, number, levels, digest, lineage.trial if lineage else "")
        except RecipeError:
            continue
        if own.id == record.trial_id:
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
    return replace(each, state="interrupted", outcome=None, seen={}, metrics={}, reason="", failure=None, when={})


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
        parent=lineage.parent if (lineage := lineage_of(record.lineage)) else None,
        when=_when(record, curve),
    )


def _when(record: TrialRecord, curve: Mapping[int, float]) -> dict[int, int]:
    """See `Tried.when`."""
    begun = [each.started_ms for each in record.attempts.values() if each.started_ms]
    found = {BEGUN: min(begun)} if begun else {}
    found |= curve.told_ms if isinstance(curve, Curve) else {}
    found |= {ENDED: record.ended_ms} if record.outcome and record.ended_ms else {}
    heard = curve.heard if isinstance(curve, Curve) else {}
    return found | {place: when_heard(at) for place, at in heard.items()}


def _state(
    number: int, record: TrialRecord, curve: Mapping[int, float], scheduler: Scheduler, epochs: int, again: bool
) -> State:
    match record.outcome:
        case "finished":
            return "finished"
        case "stopped":
            return "stopped"
        case "failed" if again and is_lost(record.outcome, record.failure):
            return "interrupted"
        case None:
            reached, lineage = max(curve, default=0), lineage_of(record.lineage)
            # Where a trial goes on from another one, its curve begins with the end of that one's.
            is_there = (
                reached > (lineage.epochs if lineage else 0) and reached in scheduler.rungs_of(number, epochs)[:-1]
            )
            return "paused" if is_there else "interrupted"
        case _:
            return "failed"
