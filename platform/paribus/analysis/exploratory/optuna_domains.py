"""The domains of a space as Optuna has them: for its samplers, and for what a search's settings say afterwards."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from paribus.study.searches.domains import Choice, Domain, Float, label
from paribus.study.words import Level

# It would say of every proposal and of every resample that a study was made for it.
optuna.logging.set_verbosity(optuna.logging.ERROR)


def distribution_of(domain: Domain) -> BaseDistribution:
    """What Optuna draws from: the labels of a choice, the numbers of a range."""
    if isinstance(domain, Choice):
        return CategoricalDistribution([label(option) for option in domain.options])
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
    return IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step)


def as_optuna(domain: Domain, level: Level) -> Any:
    """A level as that distribution holds it."""
    return label(level) if isinstance(domain, Choice) else level
