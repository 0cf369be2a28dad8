"""Ray Tune's own searchers, and subclasses of `ray.tune.search.Searcher` of the user's own, by name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paribus.engine.samplers.tune.tune_space import as_tune
from paribus.engine.schedulers.tune.tune_scheduler import OURS, refuse_ours, said
from paribus.recipe.components.component import as_text
from paribus.recipe.components.own import load
from paribus.recipe.errors import RecipeError
from paribus.recipe.seeds import key
from paribus.study.designs.arms import StudyError
from paribus.study.searches.space import Space

# As Tune's searchers call the seed of their draws.
_SEEDS = ("seed", "random_state_seed", "random_state")


@dataclass(frozen=True, kw_only=True)
class TuneSearcher:
    """A `Searcher` by its name: how it is made for one search.

    Args:
        reference: `module:Name` of a class, or of a function that makes a searcher.
        arguments: as they were written; the search's metric and mode, and a seed that follows from the search's, are
            given where it takes such and they are not there.
    """

    reference: str
    arguments: Mapping[str, Any]
    space: Space
    metric: str
    sign: int
    seed: int

    @property
    def name(self) -> str:
        """For messages."""
        return self.reference.rpartition(":")[2]

    @property
    def mode(self) -> str:
        """As Tune says it."""
        return "max" if self.sign > 0 else "min"

    def made(self) -> tuple[Any, bool]:
        """A new searcher, and whether it has a space of its own and took none of ours.

        Raises:
            StudyError: no such name, none of Tune's searchers, a package that it needs is absent, an argument that it
                refuses, or a metric of its own.
        """
        target, base = self._loaded(self.reference), self.base
        try:
            found = target(**self._chosen(target))
        except Exception as error:  # a user's class may raise anything
            raise StudyError(f"sampler {self._text!r} cannot be made: {said(error)}") from None
        if not isinstance(found, base):
            raise StudyError(
                f"sampler {self.reference!r} makes a {type(found).__name__}, which is no Searcher of ray.tune.search"
            )
        if (optuna := sys.modules.get("optuna")) is not None:
            optuna.logging.set_verbosity(optuna.logging.ERROR)  # it tells of every study that a searcher makes
        try:
            takes_space = bool(found.set_search_properties(self.metric, self.mode, as_tune(self.space)))
        except Exception as error:
            raise StudyError(f"sampler {self._text!r} refuses the search's space: {said(error)}") from None
        for what, own, ours in (("metric", found.metric, self.metric), ("mode", found.mode, self.mode)):
            if own is not None and own != ours:
                raise StudyError(f"sampler {self._text!r} has {what} = {own!r} of its own, not {ours!r}: {OURS}")
        return found, not takes_space

    @property
    def base(self) -> Any:
        """What every searcher derives from."""
        return self._loaded("ray.tune.search:Searcher")

    @property
    def _text(self) -> str:
        return as_text({"kind": self.reference, **self.arguments})

    def _chosen(self, target: Any) -> dict[str, Any]:
        chosen, takes = dict(self.arguments), inspect.signature(target).parameters
        refuse_ours(chosen)
        ours: dict[str, Any] = {"metric": self.metric, "mode": self.mode}
        ours |= dict.fromkeys(_SEEDS, key("searcher", self.seed) % 2**31)
        return {**{name: value for name, value in ours.items() if name in takes}, **chosen}

    def _loaded(self, reference: str) -> Any:
        try:
            return load(reference)
        except RecipeError as error:
            raise StudyError(f"sampler {self._text!r}: {error}") from None
