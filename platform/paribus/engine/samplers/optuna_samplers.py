"""Optuna's samplers, asked and told directly.

Each proposal asks a sampler made anew, seeded by (search's seed, number), over a study in memory that holds what is
told: nothing that it remembers is lost with the driver, and no draw comes twice.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIIISampler, NSGAIISampler, TPESampler
from optuna.search_space import intersection_search_space
from optuna.trial import FrozenTrial, TrialState, create_trial

from paribus.analysis.exploratory.optuna_domains import as_optuna, distribution_of
from paribus.engine.samplers.sampler import FEWEST_SOURCES, Proposal, Told
from paribus.recipe.seeds import key
from paribus.study.designs.arms import StudyError
from paribus.study.searches.domains import Choice, Domain, Float
from paribus.study.searches.space import Space
from paribus.study.words import Level

# Of Optuna 5.0, so that another release with other defaults is not another search. What it calls deprecated is left
# out: it is fixed there.
ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "tpe": {
        "n_startup_trials": 10,
        "n_ei_candidates": 24,
        "multivariate": True,
        "group": True,
        "constant_liar": True,
    },
    "cmaes": {
        "n_startup_trials": 1,
        "popsize": None,
        "use_separable_cma": False,
        "with_margin": False,
        "lr_adapt": False,
        "consider_pruned_trials": False,
    },
    "gp": {"n_startup_trials": 10, "deterministic_objective": False},
    "nsga2": {"population_size": 50, "mutation_prob": None, "crossover_prob": 0.9, "swapping_prob": 0.5},
    "nsga3": {
        "population_size": 50,
        "mutation_prob": None,
        "crossover_prob": 0.9,
        "swapping_prob": 0.5,
        "dividing_parameter": 3,
    },
    "auto": {},
}
_MADE: Mapping[str, Callable[..., BaseSampler]] = {
    "tpe": TPESampler,
    "cmaes": CmaEsSampler,
    "gp": GPSampler,
    "nsga2": NSGAIISampler,
    "nsga3": NSGAIIISampler,
}
# By what they keep with a trial: the state of CMA-ES, the generation of a genetic one.
_KEPT = ("cma:", "sepcma:", "cmawm:", "x_for_tell", "NSGA", "nsga")
# What a trial that did not train is told with, beside a value that no other is worse than.
_TRAINED = "trained"
_STATES = {"running": TrialState.RUNNING, "stopped": TrialState.PRUNED}


class OptunaSampler:
    """One of Optuna's samplers, by our name for it.

    Raises:
        StudyError: an argument that it does not take, or a package that it needs is absent.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any], space: Space, num_objectives: int, seed: int) -> None:
        self.name, self.space, self.num_objectives, self.seed = name, space, num_objectives, seed
        self.arguments = {**ARGUMENTS[name], **arguments}
        self._make = _MADE.get(name) or _auto()
        self._distributions = {path: distribution_of(domain) for path, domain in space}
        if num_objectives > 1 and name == "cmaes":
            raise StudyError("the sampler 'cmaes' follows one objective: take 'tpe', 'gp' or 'nsga2' for several")
        if name == "cmaes":  # Optuna looks for it when the first trials have ended
            _needs(name, "cmaes")
        self._sampler(0)

    def propose(self, number: int, told: Sequence[Told]) -> Proposal:
        """What the sampler asks for next."""
        # Which of its arguments are experimental is its own affair, and every search would say so.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(directions=["maximize"] * self.num_objectives)
            failed = self._failed(told)
            past = [each for each in told if self.name == "cmaes" and each.number < 0]
            study.add_trials([self._frozen(each, failed) for each in told[len(past) :]])
            study.sampler = (
                self._sampler(number, source_trials=self._sources(past, study)) if past else self._sampler(number)
            )
            trial = study.ask()
            levels: dict[str, Level] = {}
            for path, domain in self.space:
                if self.space.asks(path, levels):
                    levels[path] = domain.read(_suggested(trial, path, domain, self._distributions[path]))
        attributes = study.get_trials(deepcopy=False)[-1].system_attrs
        return Proposal(levels, {name: value for name, value in attributes.items() if name.startswith(_KEPT)})

    def _sources(self, past: Sequence[Told], study: optuna.Study) -> list[FrozenTrial] | None:
        """Past results as CMA-ES begins from them (Nomura et al. 2021, arXiv 2012.06932): numbers alone, of fields that
        every trial of the study has; None where too few have them."""
        known = intersection_search_space(
            study.get_trials(deepcopy=False), include_pruned=self.arguments["consider_pruned_trials"]
        )
        paths = [path for path, each in known.items() if not isinstance(each, CategoricalDistribution)]
        found = [
            create_trial(
                value=told.values[0],
                params={path: told.levels[path] for path in paths},
                distributions={path: known[path] for path in paths},
            )
            for told in past
            if told.state == "finished" and told.kept and set(paths) <= told.levels.keys()
        ]
        return found if len(found) >= FEWEST_SOURCES else None

    def _sampler(self, number: int, **more: Any) -> BaseSampler:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._make(**self.arguments, **more, seed=key("optuna", self.seed, number) % 2**32)
        except (TypeError, ValueError) as error:
            raise StudyError(f"the sampler {self.name!r} with {self.arguments}: {error}") from None
        except ImportError as error:
            raise StudyError(f"the sampler {self.name!r} needs a package that is not installed: {error}") from None

    def _failed(self, told: Sequence[Told]) -> _Failed | None:
        """How those that did not train are told; None where nothing is to be said of constraints at all, for with them
        some samplers are slower, or another algorithm."""
        if not any(each.state == "failed" or each.excess for each in told):
            return None
        found = [each.values for each in told if each.state == "finished"]
        worst = [min(values) for values in zip(*found, strict=True)] if found else [0.0] * self.num_objectives
        return _Failed(worst, dict.fromkeys((name for each in told for name in each.excess), 1.0))

    def _frozen(self, told: Told, failed: _Failed | None) -> FrozenTrial:
        paths, values, constraints = told.levels.keys(), None, None
        if told.state == "finished":
            values = list(told.values)
            constraints = {**told.excess, _TRAINED: 0.0} if failed else None
        elif told.state == "failed" and failed:
            values, constraints = failed.values, {**failed.excess, _TRAINED: 1.0}
        elif failed:
            constraints = {}
        return create_trial(
            state=_STATES.get(told.state, TrialState.COMPLETE),
            values=values,
            params={path: as_optuna(self.space.domains[path], told.levels[path]) for path in paths},
            distributions={path: self._distributions[path] for path in paths},
            intermediate_values=dict(told.seen),
            # To a genetic one what it did not propose itself is of the first generation.
            system_attrs=dict(told.memory) if told.number >= 0 else {f"{self._make.__name__}:generation": 0},
            constraints=constraints,
        )


@dataclass(frozen=True)
class _Failed:
    """A trial that did not train, as a sampler is told of it: the worst value that any other has in each objective, and
    every constraint broken, for some samplers want the same ones of all trials."""

    values: list[float]
    excess: Mapping[str, float]


def _suggested(trial: optuna.Trial, path: str, domain: Domain, distribution: BaseDistribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(path, distribution.choices)
    if isinstance(domain, Float):
        return trial.suggest_float(path, domain.low, domain.high, log=domain.log, step=domain.step)
    assert not isinstance(domain, Choice)
    return trial.suggest_int(path, domain.low, domain.high, log=domain.log, step=domain.step)


def _auto() -> Callable[..., BaseSampler]:
    hub = _needs("auto", "optunahub")  # it fetches the sampler's code from the net
    made: Callable[..., BaseSampler] = hub.load_module("samplers/auto_sampler").AutoSampler
    return made


def _needs(sampler: str, package: str) -> Any:
    try:
        return import_module(package)
    except ImportError:
        raise StudyError(
            f"the sampler {sampler!r} needs the package {package}, which is not installed: pip install {package}, or "
            "take 'tpe'"
        ) from None
