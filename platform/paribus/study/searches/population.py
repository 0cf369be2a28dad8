"""Trials of a population: each goes on from another trial's checkpoint, at settings of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from paribus.recipe.components.component import written

# The scheduler whose trials are generations of one population.
POPULATION = "pbt"


def is_population(scheduler: str) -> bool:
    """Whether the trials of a search under `scheduler`, as a search names it, are generations of a population."""
    return bool(scheduler) and str(written(scheduler, "scheduler")["kind"]) == POPULATION


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where a trial of a population comes from.

    Args:
        parent: the number of the trial from whose checkpoint it goes on.
        trial, code: the parent's id and code, by which its checkpoint is found.
        epochs: how many the parent, and what it comes from, had trained by then.
    """

    parent: int
    trial: str
    code: str
    epochs: int

    def as_dict(self) -> dict[str, Any]:
        """As the ledger and a worker get it."""
        return asdict(self)


def lineage_of(facts: Mapping[str, Any]) -> Lineage | None:
    """What `as_dict` gave; None of nothing, and of what is no lineage."""
    kinds = {"parent": int, "trial": str, "code": str, "epochs": int}
    if any(type(facts.get(name)) is not kind for name, kind in kinds.items()):
        return None
    return Lineage(**{name: facts[name] for name in kinds})
