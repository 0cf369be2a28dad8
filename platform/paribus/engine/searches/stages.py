"""Walks in stages: what a later stage trains is chosen among what came to the end of the one before."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace

from paribus.engine.samplers.sampler import Proposal
from paribus.engine.searches.tried import Go, Tried
from paribus.engine.searches.walk import Walk


class Stages(Walk):
    """A walk whose trials each belong to a stage, and are ranked among it where that is asked for: no scheduler has to
    be told of them."""

    @abstractmethod
    def stage_of(self, number: int) -> int:
        """The stage of trial `number`, from 0."""

    def restore(self, tried: Iterable[Tried]) -> None:
        """Take up what a ledger knows. What failed and was replaced is not tried again: others went on without it."""
        known = list(tried)
        begun = {self.stage_of(each.number) for each in known}
        for at, each in enumerate(known):
            is_replaced = self.stage_of(each.number) + 1 in begun
            if each.outcome == "failed" and each.state == "interrupted" and is_replaced:
                known[at] = replace(each, state="failed")
        super().restore(known)

    @abstractmethod
    def _setting(self, number: int) -> tuple[Proposal | None, int | None]:
        """The setting of a trial that has not begun, None where there is no further one; and its parent, if any."""

    def _born(self, number: int) -> Go | None:
        """Begin it; None where its setting is none."""
        proposal, parent = self._setting(number)
        fault = "the space has no further setting" if proposal is None else self._misfit(proposal.levels)
        levels = proposal.levels if proposal else {}
        self._put(Tried(number=number, levels=levels, proposal=proposal, parent=parent))
        if not fault:
            return self._go(number, is_new=True)
        self._put(replace(self.tried[number], state="failed", reason=fault))
        return None

    def _rank_paused(self, number: int, epoch: int) -> None:
        pass

    def _rank_ended(self, number: int) -> None:
        pass

    def _rank_cut(self, number: int) -> None:
        pass

    def _stand(self) -> None:
        pass
