"""Schedulers by name."""

from dataclasses import fields
from typing import Any

from paribus.engine.schedulers.asha import Asha
from paribus.engine.schedulers.full_budget import FullBudget
from paribus.engine.schedulers.hyperband import HyperBand
from paribus.engine.schedulers.median import MedianStopping
from paribus.engine.schedulers.scheduler import Scheduler, SchedulerError
from paribus.engine.schedulers.successive_halving import SuccessiveHalving
from paribus.engine.schedulers.top_k import TopK
from paribus.recipe.errors import nearest

SCHEDULERS: dict[str, type[Scheduler]] = {
    each.name: each for each in (FullBudget, Asha, SuccessiveHalving, HyperBand, TopK, MedianStopping)
}


def scheduler_of(named: str | Scheduler, **arguments: Any) -> Scheduler:
    """The scheduler called so, with these arguments: `"asha"`, `"asha(eta=4, first=2)"`, or one as it is.

    Raises:
        SchedulerError: no such name or argument, or a value that is not allowed.
    """
    if isinstance(named, Scheduler):
        return named
    if not isinstance(named, str):
        raise SchedulerError(f"scheduler = {named!r}: give a name, {', '.join(SCHEDULERS)}, or one such as Asha(eta=3)")
    name, _, written = named.strip().partition("(")
    if name not in SCHEDULERS:
        raise SchedulerError(f"no scheduler {name!r}: {nearest(name, SCHEDULERS, in_full=True)}")
    arguments = _read(named, written) | arguments if written else arguments
    made = SCHEDULERS[name]
    known = {field.name: field for field in fields(made)}
    if unknown := [each for each in arguments if each not in known]:
        takes = ", ".join(known) or "nothing"
        raise SchedulerError(f"scheduler {name!r} takes no {unknown[0]!r}: it takes {takes}")
    return made(**arguments)


def written(scheduler: Scheduler) -> str:
    """The scheduler as text that `scheduler_of` reads: what a ledger and tables keep; every argument pinned."""
    arguments = ", ".join(f"{field.name}={getattr(scheduler, field.name)}" for field in fields(scheduler))
    return f"{scheduler.name}({arguments})" if arguments else scheduler.name


def _read(whole: str, arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in filter(None, (part.strip() for part in arguments.rstrip(") ").split(","))):
        name, is_given, value = (part.strip() for part in each.partition("="))
        if not is_given or not (value == "None" or value.lstrip("-").isdecimal()):
            raise SchedulerError(f"scheduler {whole!r}: write arguments as whole numbers by name, as in 'asha(eta=3)'")
        found[name] = None if value == "None" else int(value)
    return found
