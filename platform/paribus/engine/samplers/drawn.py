"""Samplers that learn nothing: at random, evenly spread, or one setting after another."""

from __future__ import annotations

from collections.abc import Sequence

from paribus.engine.samplers.sampler import Proposal, Told
from paribus.recipe.seeds import key
from paribus.study.designs.arms import StudyError
from paribus.study.searches.space import Space
from paribus.study.words import Level

_TO_UNIT = 2.0**-63
_MOST_SETTINGS = 1_000_000


class Random:
    """Independent uniform draws, each keyed on (seed, number, path)."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed

    def propose(self, number: int, told: Sequence[Told]) -> Proposal:
        """The draw of that number."""
        shares = [key("sampler", self.seed, number, path) * _TO_UNIT for path, _ in self.space]
        return Proposal(self.space.levels_at(shares))


class Sobol:
    """A scrambled Sobol sequence (Owen 1998): as good as random in every direction, and more even in all together."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space, self.seed = space, seed

    def propose(self, number: int, told: Sequence[Told]) -> Proposal:
        """The sequence's point of that number."""
        from scipy.stats import qmc  # as long to load as all else that a report needs

        points = qmc.Sobol(len(self.space.domains), scramble=True, rng=key("sobol", self.seed) % 2**32)
        if number:
            points.fast_forward(number)
        return Proposal(self.space.levels_at(points.random(1)[0].tolist()))


class Grid:
    """Every setting once: as they are written, or in the keyed order of a fair draw, and then no more."""

    def __init__(self, space: Space, seed: int, *, shuffled: bool) -> None:
        size = space.size()
        if size is None:
            # Of a range without a step it says so; else they are too many.
            next(iter(space.every()))
            raise StudyError(f"the space has more than {_MOST_SETTINGS:,} settings: search them with another sampler")
        self.settings: list[dict[str, Level]] = list(space.every())
        if shuffled:
            order = sorted(range(size), key=lambda index: key("grid", seed, index))
            self.settings = [self.settings[index] for index in order]

    def propose(self, number: int, told: Sequence[Told]) -> Proposal | None:
        """The first setting that was not tried."""
        tried = {frozenset(each.levels.items()) for each in told}
        left = (levels for levels in self.settings if frozenset(levels.items()) not in tried)
        return next((Proposal(levels) for levels in left), None)
