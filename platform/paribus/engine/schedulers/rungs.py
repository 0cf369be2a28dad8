"""Rungs of trials that are smaller at first, each trained anew: how many of each rung go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from paribus.engine.schedulers.full_budget import FullBudget
from paribus.engine.schedulers.halving import Halving
from paribus.engine.schedulers.scheduler import SchedulerError


@dataclass(frozen=True, kw_only=True)
class Rungs(FullBudget):
    """Of the trials of a rung the best so many are trained anew at the next, as `rule` says; nobody is cut on the way.

    Args:
        text: the rule as the search names it.
        field: what differs between rungs, and its `values`, shown.
        settings: trials of the first rung, with the baseline where it is one of them.
        has_baseline: whether the first of them is the baseline, which is trained whole at once.
    """

    rule: Halving
    text: str
    field: str
    values: tuple[str, ...]
    settings: int
    has_baseline: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        """Trials of each rung at most; those of the first with the baseline."""
        found = [self.settings - self.has_baseline]
        for _ in self.values[1:]:
            found.append(max(1, self.rule.keep(found[-1])))
        return (self.settings, *found[1:])

    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where the rungs cannot fill; `planned` are the settings that there are."""
        if planned < self.settings:
            raise SchedulerError(
                f"the space has {planned} settings, and the first rung of {self.field} {self.settings}: give "
                f"trials={planned}"
            )
        first = self.settings - self.has_baseline
        if len(set(self.sizes[1:]) | {first}) < len(self.values):
            raise SchedulerError(
                f"scheduler {self.text!r}: of {first} trials at {self.field} = {self.values[0]} there go on "
                f"{', then '.join(map(str, self.sizes[1:]))}, so that some rung cuts none: ask for more trials, or "
                "name fewer values"
            )

    def notes(self, epochs: int, planned: int) -> tuple[str, ...]:
        """What is trained at which value."""
        counts = (self.settings - self.has_baseline, *self.sizes[1:])
        steps = [f"{count} at {value}" for count, value in zip(counts, self.values, strict=True)]
        whole = "; the baseline is trained whole at once" if self.has_baseline else ""
        return (f"{self.field}: {', then the best '.join(steps)}, each trained anew from its start{whole}",)


def rungs_by(rule: object, text: str, facts: Mapping[str, object]) -> Rungs:
    """The rungs whose sizes `rule` says; `facts` are the further fields.

    Raises:
        SchedulerError: a rule that does not wait until a rung has ended.
    """
    if not isinstance(rule, Halving) or not rule.waits or type(rule).bracket_of is not Halving.bracket_of:
        raise SchedulerError(
            f"scheduler {text!r}: trials that are trained anew at each rung go on by rank when all are there: with "
            "fidelity= name 'successive_halving(eta=3)' or 'top_k(k=3)'"
        )
    return Rungs(rule=rule, text=text, **facts)  # type: ignore[arg-type]
