"""Samplers by name, with their arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from paribus.engine.samplers.drawn import Grid, Random, Sobol
from paribus.engine.samplers.sampler import Sampler
from paribus.engine.samplers.tune.tune_sampler import TuneSampler
from paribus.engine.samplers.tune.tune_searcher import TuneSearcher
from paribus.engine.schedulers import scheduler_of
from paribus.recipe.components.component import written
from paribus.recipe.components.own import is_own
from paribus.recipe.errors import nearest
from paribus.study.designs.arms import StudyError
from paribus.study.searches.search import Search
from paribus.study.searches.space import Space

# They draw a setting by its number, whatever came of others: a line each, the class that is made of (space, seed).
DRAWN: Mapping[str, Callable[[Space, int], Sampler]] = {
    "random": Random,
    "sobol": Sobol,
    "grid": partial(Grid, shuffled=False),
    "brute_force": partial(Grid, shuffled=True),
}
# Those that Optuna has are imported when one is asked for: they take a second.
_OPTUNA = ("tpe", "cmaes", "gp", "nsga2", "nsga3", "auto")
SAMPLERS = (*_OPTUNA, *DRAWN)


def sampler_of(search: Search) -> Sampler:
    """The search's sampler: one of ours by name, or a searcher of Ray Tune's as `"module:Name(...)"`.

    Raises:
        StudyError: no such one, or an argument that it does not take. SchedulerError: no such scheduler.
    """
    arguments = written(search.sampler, "sampler")
    if is_own(reference := str(arguments.pop("kind"))):
        return _of_tune(search, reference, arguments)
    return made(search.sampler, search.proposed, len(search.objectives), search.seed)


def made(text: str, space: Space, num_objectives: int, seed: int) -> Sampler:
    """The sampler that `text` names, such as `tpe` or `tpe(n_startup_trials=20)`.

    Raises:
        StudyError: no such one, or an argument that it does not take.
    """
    arguments = written(text, "sampler")
    name = str(arguments.pop("kind"))
    if name in DRAWN:
        _check_arguments(name, arguments, {})
        return DRAWN[name](space, seed)
    if name not in _OPTUNA:
        hint = nearest(name, SAMPLERS, in_full=True)
        raise StudyError(f"no sampler {name!r}: {hint}, or a searcher of Ray Tune's as module:Name")
    from paribus.engine.samplers.optuna_samplers import ARGUMENTS, OptunaSampler

    _check_arguments(name, arguments, ARGUMENTS[name])
    return OptunaSampler(name, arguments, space, num_objectives, seed)


def _of_tune(search: Search, reference: str, arguments: Mapping[str, Any]) -> Sampler:
    if search.against:
        raise StudyError(
            f"the sampler {search.sampler!r} follows one objective, as a searcher of Ray Tune's is told of one: take "
            "'tpe', 'gp' or 'nsga2' for several"
        )
    searcher = TuneSearcher(
        reference=reference,
        arguments=arguments,
        space=search.proposed,
        metric=search.metric,
        sign=search.primary.sign,
        seed=search.seed,
    )
    looks = not search.rungs and scheduler_of(search.used_scheduler).name != "none"
    return TuneSampler(searcher, hears_epochs=looks)


def _check_arguments(name: str, arguments: Mapping[str, Any], allowed: Mapping[str, Any]) -> None:
    if strange := [each for each in arguments if each not in allowed]:
        hint = nearest(strange[0], sorted(allowed)) if allowed else "it takes none"
        raise StudyError(f"the sampler {name!r} takes no argument {strange[0]!r}: {hint}")
