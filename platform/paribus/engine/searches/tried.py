"""What is known of one trial of a search, and what is asked for next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from paribus.engine.samplers.sampler import Proposal
from paribus.study.searches.space import Levels
from paribus.study.words import FailureClass, Outcome

# Failures that are the setting's own: whoever trains it again comes to the same. The others are the machine's or the
# code's, say nothing of the setting, and are trained again.
_OF_THE_SETTING: frozenset[FailureClass] = frozenset({"oom"})
State = Literal["running", "paused", "interrupted", "finished", "failed", "stopped"]


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One setting of a search, and how its trial stands.

    Args:
        state: `paused` at a rung, to be gone on with or not; `interrupted` on the way to one; `failed` did not train
            (diverged, dead, stuck), has no result, or its fields do not fit each other; `stopped` was cut.
        outcome: as the ledger has it; None until it ends, and where it never began.
        seen: the metric after so many epochs, as it is.
        metrics: final results.
        seconds: of a worker, over all attempts.
        reason: why it failed or was cut.
        failure: the class of a failure without a result.
        parent: of a population: the number of the trial from whose checkpoint it goes on; None: it starts afresh.
        when: what orders its beginning (at 0), its epochs and its end (at -1) among those of other trials, and that a
            scheduler let it go (at -2): below 0 in the order in which a driver told a scheduler, else ms since 1970, or
            numbers that go on from there; what is not known is left out.
    """

    number: int
    levels: Levels
    state: State = "running"
    proposal: Proposal | None = None
    outcome: Outcome | None = None
    seen: Mapping[int, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str = ""
    failure: FailureClass | None = None
    parent: int | None = None
    when: Mapping[int, int] = field(default_factory=dict)

    @property
    def is_lost(self) -> bool:
        """Whether it ended without a result for no fault of its setting: it is to be trained again."""
        return is_lost(self.outcome, self.failure)


def is_lost(outcome: Outcome | None, failure: FailureClass | None) -> bool:
    """Whether a trial that ended so has no result for no fault of its setting."""
    return outcome == "failed" and failure not in _OF_THE_SETTING


@dataclass(frozen=True)
class Go:
    """Train this setting up to the end of epoch `until`; 0: to its end. `is_new` where it has not begun."""

    tried: Tried
    until: int
    is_new: bool
