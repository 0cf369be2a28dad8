"""A sampler kept to the settings of a table: what it proposes is answered by the nearest that was not tried yet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from paribus.engine.samplers.sampler import Proposal, Sampler, Told
from paribus.engine.simulation.curves import Curves
from paribus.study.designs.arms import StudyError
from paribus.study.searches.domains import Choice, Domain
from paribus.study.searches.search import Search
from paribus.study.searches.space import Levels, Space
from paribus.study.words import Level


class OnTable:
    """`sampler`, whose proposals become settings of the table; the sampler is told those.

    The distance is the mean over the space's fields of the difference in units of their ranges (on a logarithm where
    the search has one), 1 for another choice (Gower 1971). Once all settings were tried they are all free again, with
    other draws of chance.

    Raises:
        StudyError: no setting of the table lies in the search's space.
    """

    def __init__(self, sampler: Sampler, search: Search, curves: Curves) -> None:
        self.sampler, self.space = sampler, search.domains
        inside = [(index, _within(self.space, setting)) for index, setting in enumerate(curves.settings)]
        self.indices = {_key(levels): index for index, levels in inside if not self.space.fault(levels)}
        self.levels = [levels for _, levels in inside if not self.space.fault(levels)]
        if not self.levels:
            raise StudyError(
                f"no setting of the table {curves.name} lies in the space of {search.name!r}: "
                f"{_why(self.space, inside[0][1])}"
            )
        self._points = np.array([_point(self.space, levels) for levels in self.levels])
        self._order = {_key(levels): index for index, levels in enumerate(self.levels)}
        # Of the told ones so far, those of this pass over the table.
        self._taken: set[int] = set()
        self._num_told = 0

    def propose(self, number: int, told: Sequence[Told]) -> Proposal | Literal["later"] | None:
        """The nearest setting that was not tried as often as others."""
        proposal = self.sampler.propose(number, told)
        if proposal is None or proposal == "later":
            return proposal
        far = self._far(proposal.levels)
        far[list(self._taken_by(told))] = math.inf
        return Proposal(self.levels[int(far.argmin())], proposal.memory)

    def nearest(self, levels: Levels) -> Levels:
        """The setting of the table that is nearest, tried or not."""
        return self.levels[int(self._far(levels).argmin())]

    def index_of(self, levels: Levels) -> int:
        """Which setting of the table that is."""
        return self.indices[_key(levels)]

    def _far(self, levels: Levels) -> NDArray[np.float64]:
        return _distances(self._points, np.array(_point(self.space, levels)))

    def _taken_by(self, told: Sequence[Told]) -> set[int]:
        """A function of what is told; only what was added since is looked at, for there may be ten thousand."""
        if len(told) < self._num_told:
            self._taken, self._num_told = set(), 0
        for each in told[self._num_told :]:
            self._taken.add(self._order[_key(each.levels)])
            if len(self._taken) == len(self.levels):
                self._taken = set()
        self._num_told = len(told)
        return self._taken


def _within(space: Space, setting: Levels) -> dict[str, Level]:
    """The levels of the fields that the space asks at this setting."""
    chosen: dict[str, Level] = {}
    for path, _ in space:
        if path in setting and space.asks(path, chosen):
            chosen[path] = setting[path]
    return chosen


def _key(levels: Levels) -> frozenset[tuple[str, Level]]:
    return frozenset(levels.items())


def _why(space: Space, levels: Levels) -> str:
    return (
        f"its first has {', '.join(f'{path}={level!r}' for path, level in levels.items())}, and {space.fault(levels)}"
    )


def _point(space: Space, levels: Levels) -> list[float]:
    """A number for each field: the share of its range, or the index of its choice, which is 1 from any other; -1 where
    it is not asked."""
    return [_share(domain, levels[path]) if path in levels else -1.0 for path, domain in space]


def _share(domain: Domain, level: Level) -> float:
    if isinstance(domain, Choice):
        return float(domain.options.index(level))
    assert isinstance(level, (int, float))
    if domain.log:
        return math.log(level / domain.low) / math.log(domain.high / domain.low)
    return (level - domain.low) / (domain.high - domain.low)


def _distances(points: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each of (S, F) points from one (F,)."""
    found: NDArray[np.float64] = np.minimum(np.abs(points - point), 1.0).mean(axis=1)
    return found
