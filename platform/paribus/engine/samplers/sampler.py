"""What a sampler is told and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from paribus.study.words import Level

# Past results that CMA-ES needs: it begins from their best tenth.
FEWEST_SOURCES = 10


@dataclass(frozen=True, kw_only=True)
class Told:
    """One trial of a search, as far as a sampler learns from it.

    Args:
        number: from 0; below 0 of results of elsewhere that the search learns from.
        values: of the objectives, turned so that larger is better; empty until it finished.
        state: `failed` is one that did not train (diverged, dead, stuck) or has no result; `stopped` one that a
            scheduler cut.
        seen: the first objective after so many epochs, turned too; never NaN.
        excess: by how much it breaks each constraint; 0 or below where it keeps it.
        memory: what the sampler gave to keep with its proposal.
    """

    number: int
    levels: Mapping[str, Level]
    state: Literal["running", "finished", "failed", "stopped"]
    values: tuple[float, ...] = ()
    seen: Mapping[int, float] = field(default_factory=dict)
    excess: Mapping[str, float] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        """Whether it breaks no constraint."""
        return all(excess <= 0 for excess in self.excess.values())


@dataclass(frozen=True)
class Proposal:
    """A setting to try, and what the sampler wants to be told of it again: JSON."""

    levels: Mapping[str, Level]
    memory: Mapping[str, Any] = field(default_factory=dict)


class Sampler(Protocol):
    """Proposes settings. The answer is a pure function of the search, the number and what is told: a driver that was
    killed goes on as if it had not been."""

    def propose(self, number: int, told: Sequence[Told]) -> Proposal | Literal["later"] | None:
        """The setting of trial `number` (from 0), where `told` are those before it in order; None: there is no other;
        `later`: it waits for what runs.

        Raises:
            StudyError: this sampler can propose nothing for such a search.
        """
        ...
