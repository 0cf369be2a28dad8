"""What a search would try next, and why, if it were asked now."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.engine.searches.ladder import Ladder
from paribus.engine.searches.walk import Walk
from paribus.study.searches.space import Levels


@dataclass(frozen=True)
class Suggestion:
    """One step that the walk would take."""

    number: int
    levels: Levels
    why: str


def suggestions(walk: Walk, number: int) -> list[Suggestion]:
    """The next `number` steps as if none of them ended before the last was asked for. Leaves `walk` at its end."""
    found: list[Suggestion] = []
    while len(found) < number:
        before = len(walk.tried)
        go = walk.next()
        if go is None or isinstance(go, str):
            break
        found.append(Suggestion(go.tried.number, go.tried.levels, _why(walk, go.tried.number, go.is_new, before)))
    return found


def no_more(walk: Walk) -> str:
    """Why a walk, after its `suggestions`, gives no further one."""
    if walk.is_spent and walk.num_ended >= len(walk.tried):
        return f"the budget of {walk.search.budget} is spent"
    if walk.num_ended >= walk.planned:
        return f"all {walk.planned} settings were tried"
    return f"what comes next depends on what becomes of the {len(walk.tried) - walk.num_ended} under way"


def _why(walk: Walk, number: int, is_new: bool, known: int) -> str:
    search, each = walk.search, walk.tried[number]
    if each.parent is not None and is_new:
        how = "as it is" if each.levels == walk.tried[each.parent].levels else "perturbed"
        return f"generation {number // search.trials + 1} goes on from #{each.parent}, {how}"
    if isinstance(walk, Ladder) and is_new and (rung := walk.stage_of(number)):
        return f"among the best at {walk.path} = {walk.values[rung - 1]}, and trained anew at {walk.values[rung]}"
    if not is_new:
        reached = max(each.seen, default=0)
        if reached:
            return f"{search.used_scheduler} lets it go on after {reached} of {walk.epochs} epochs"
        return "it was cut off before its end"
    if number < len(search.first):
        return "the baseline comes first" if search.is_baseline(each.levels) else "named in start="
    told = sum(one.state in ("finished", "stopped", "failed") for one in walk.tried.values())
    past = f", and of {len(walk.past)} past results" if walk.past else ""
    return f"{search.sampler} proposes it, told of {told} trials that ended and {known - told} under way{past}"
