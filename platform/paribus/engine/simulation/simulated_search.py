"""A search on a table of curves: the real walk, sampler and scheduler, with workers on a simulated clock."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace
from typing import Literal

from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import FullBudget, Pbt, scheduler_of
from paribus.engine.searches.tried import Go
from paribus.engine.searches.walk import Walk
from paribus.engine.simulation.curves import Curves
from paribus.engine.simulation.on_table import OnTable
from paribus.recipe.seeds import key
from paribus.study.designs.arms import StudyError
from paribus.study.searches.search import Search


@dataclass(frozen=True, kw_only=True)
class SearchEnd:
    """What a simulated search came to.

    Args:
        found: the mean of the setting that it takes for the best, at the end, over replicates that it did not see; nan
            where no trial was trained to its end.
        searched: the value by which it took it.
        epochs: trained in all, by all trials.
        clock: seconds until its end, with these workers.
        whole, cut, failed: trials by how they ended.
    """

    found: float
    searched: float
    epochs: int
    clock: float
    whole: int
    cut: int
    failed: int


def simulate_search(search: Search, curves: Curves, *, workers: int) -> SearchEnd:
    """Run the search to its end on the table, with the seeds that follow from the search's own.

    A trial is one of the setting's replicates, drawn by (seed, number). An epoch takes the seconds that it took.

    Raises:
        StudyError: its trials have another length than the table's, or no setting of the table is in its space.
    """
    return _Simulation(search, curves).run(workers)


class _Simulation:
    def __init__(self, search: Search, curves: Curves) -> None:
        _check_epochs(search, curves)
        if search.rungs:
            raise StudyError(
                f"a table has whole trials by epoch, and none at another {search.rungs[0]}: leave fidelity out"
            )
        if search.sources:
            raise StudyError(f"a simulation learns from no past results: leave {search.sources[0]!r} out of start")
        scheduler = scheduler_of(search.used_scheduler)
        if isinstance(scheduler, Pbt):
            raise StudyError(
                f"scheduler = {search.scheduler!r}: the table has settings that were trained from their start, and "
                "none that went on from another one's checkpoint: simulate another scheduler"
            )
        self.table = OnTable(sampler_of(search), search, curves)
        self.search, self.curves = replace(search, start=tuple(map(self.table.nearest, search.start_settings))), curves
        search = self.search
        self.walk = Walk(search, self.table, scheduler, 1 if isinstance(scheduler, FullBudget) else curves.num_epochs)
        self.epochs = 0
        self._done: dict[int, int] = {}

    def run(self, workers: int) -> SearchEnd:
        free, now = workers, 0.0
        # (when it comes to the end of its rung or ends, in which order it was begun, its number, epochs done then)
        running: list[tuple[float, int, int, int]] = []
        begun = 0
        while True:
            while free and isinstance(found := self._next(is_idle=not running), Go):
                number, until = found.tried.number, self._until(found)
                heapq.heappush(running, (now + self._seconds(number, until), begun, number, until))
                free, begun = free - 1, begun + 1
            if not running:
                return self._end(now)
            now, _, number, until = heapq.heappop(running)
            free += 1
            self._tell(number, until)

    def _next(self, *, is_idle: bool) -> Go | Literal["over"] | None:
        found = self.walk.next()
        # Nobody is waited for: where the walk has just learnt that no more settings will come, it decides anew.
        return self.walk.next() if found is None and is_idle else found

    def _place(self, number: int) -> tuple[int, int]:
        setting = self.table.index_of(self.walk.tried[number].levels)
        return setting, key("simulated", self.search.seed, number) % self.curves.num_replicates

    def _until(self, go: Go) -> int:
        """Epochs after which the trial pauses or ends: it may diverge before."""
        setting, replicate = self._place(go.tried.number)
        wanted = go.until or self.curves.num_epochs
        values = self.curves.values[setting, replicate, :wanted]
        gone = [epoch for epoch, value in enumerate(values, start=1) if math.isnan(value)]
        return gone[0] if gone else wanted

    def _seconds(self, number: int, until: int) -> float:
        setting, replicate = self._place(number)
        return float(self.curves.seconds[setting, replicate, self._done.get(number, 0) : until].sum())

    def _tell(self, number: int, until: int) -> None:
        setting, replicate = self._place(number)
        done, self._done[number] = self._done.get(number, 0), until
        self.epochs += until - done
        values = self.curves.values[setting, replicate]
        for epoch in range(done + 1, until + 1):
            if not math.isnan(values[epoch - 1]):
                self.walk.seen(number, epoch, float(values[epoch - 1]))
        outcome = self.curves.outcomes[setting][replicate]
        if math.isnan(values[until - 1]) or (until == self.curves.num_epochs and outcome != "finished"):
            self.walk.ended(number, outcome, {})  # type: ignore[arg-type]  # the table has the ledger's words
        elif until == self.curves.num_epochs:
            self.walk.ended(number, "finished", {self.search.metric: float(values[-1])})
        else:
            self.walk.paused(number, until)
        self._cut_hopeless()

    def _cut_hopeless(self) -> None:
        for number, reason in self.walk.hopeless().items():
            self.walk.cut(number, reason)

    def _end(self, now: float) -> SearchEnd:
        self._cut_hopeless()
        best = self.walk.best()
        found = searched = math.nan
        if best:
            found, searched = self.curves.other_mean(*self._place(best[0].number)), best[0].metrics[self.search.metric]
        states = [each.state for each in self.walk.tried.values()]
        counts = {state: states.count(state) for state in ("finished", "stopped", "failed")}
        return SearchEnd(
            found=found,
            searched=searched,
            epochs=self.epochs,
            clock=now,
            whole=counts["finished"],
            cut=counts["stopped"],
            failed=counts["failed"],
        )


def _check_epochs(search: Search, curves: Curves) -> None:
    budget = search.base_recipe.budget
    if budget.unit != "epochs" or budget.amount != curves.num_epochs:
        raise StudyError(
            f"the trials of {search.name!r} train {budget.amount:g} {budget.unit}, and those of the table "
            f"{curves.name} {curves.num_epochs} epochs: add --set budget='{curves.num_epochs} epochs'"
        )
    if search.against or search.constraints or search.seconds:
        raise StudyError(
            f"{search.name!r} has several objectives, constraints or a time budget, and the simulator knows one metric "
            "and a number of trials"
        )


def at_seed(search: Search, repeat: int) -> Search:
    """The search with the seed of that repeat, without a confirmation, which a table cannot give.

    Nor has it a baseline to begin with: one that a person has tuned would hide what the search finds by itself.
    """
    return replace(search, seed=key("repeat", search.seed, repeat) % 2**31, confirm=0, baseline={})
