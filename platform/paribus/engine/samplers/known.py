"""Samplers by name, with their arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from paribus.engine.samplers.drawn import Grid, Random, Sobol
from paribus.engine.samplers.sampler import Sampler
from paribus.recipe.components.component import written
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
    """The search's sampler. Raises StudyError: no such one, or an argument that it does not take."""
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
        raise StudyError(f"no sampler {name!r}: {nearest(name, SAMPLERS, in_full=True)}")
    from paribus.engine.samplers.optuna_samplers import ARGUMENTS, OptunaSampler

    _check_arguments(name, arguments, ARGUMENTS[name])
    return OptunaSampler(name, arguments, space, num_objectives, seed)


def _check_arguments(name: str, arguments: Mapping[str, Any], allowed: Mapping[str, Any]) -> None:
    if strange := [each for each in arguments if each not in allowed]:
        hint = nearest(strange[0], sorted(allowed)) if allowed else "it takes none"
        raise StudyError(f"the sampler {name!r} takes no argument {strange[0]!r}: {hint}")
