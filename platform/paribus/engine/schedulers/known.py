"""Schedulers by name."""

from dataclasses import fields
from typing import Any

from paribus.engine.schedulers.asha import Asha
from paribus.engine.schedulers.full_budget import FullBudget
from paribus.engine.schedulers.hyperband import HyperBand
from paribus.engine.schedulers.median import MedianStopping
from paribus.engine.schedulers.pbt import Pbt
from paribus.engine.schedulers.scheduler import Scheduler, SchedulerError
from paribus.engine.schedulers.successive_halving import SuccessiveHalving
from paribus.engine.schedulers.top_k import TopK
from paribus.engine.schedulers.tune.tune_scheduler import TuneScheduler
from paribus.recipe.components import component
from paribus.recipe.components.own import is_own
from paribus.recipe.errors import nearest

SCHEDULERS: dict[str, type[Scheduler]] = {
    each.name: each for each in (FullBudget, Asha, SuccessiveHalving, HyperBand, TopK, MedianStopping, Pbt)
}


def scheduler_of(named: str | Scheduler, **arguments: Any) -> Scheduler:
    """The scheduler called so, with these arguments: `"asha"`, `"asha(eta=4, first=2)"`, or one as it is; one of Ray
    Tune's, or a subclass of its `TrialScheduler`, as `"ray.tune.schedulers:ASHAScheduler(grace_period=2)"`.

    Raises:
        SchedulerError: no such name or argument, or a value that is not allowed.
        RecipeError: text that is none.
    """
    if isinstance(named, Scheduler):
        return named
    if not isinstance(named, str):
        raise SchedulerError(f"scheduler = {named!r}: give a name, {', '.join(SCHEDULERS)}, or one such as Asha(eta=3)")
    chosen = component.written(named.strip(), "scheduler") | arguments
    name = chosen.pop("kind")
    if is_own(name):
        return TuneScheduler(reference=name, arguments=tuple(chosen.items()))
    if name not in SCHEDULERS:
        hint = nearest(name, SCHEDULERS, in_full=True)
        raise SchedulerError(f"no scheduler {name!r}: {hint}, or one of Ray Tune's as module:Name")
    known = {field.name: field for field in fields(SCHEDULERS[name])}
    if unknown := [each for each in chosen if each not in known]:
        takes = ", ".join(known) or "nothing"
        raise SchedulerError(f"scheduler {name!r} takes no {unknown[0]!r}: it takes {takes}")
    return SCHEDULERS[name](**chosen)


def written(scheduler: Scheduler) -> str:
    """The scheduler as text that `scheduler_of` reads: what a ledger and tables keep; every argument pinned."""
    arguments = ", ".join(f"{field.name}={getattr(scheduler, field.name)}" for field in fields(scheduler))
    return f"{scheduler.name}({arguments})" if arguments else scheduler.name
