"""Ray Tune's searcher: it hands out what our own plan or engine says comes next, whenever there is room."""

from __future__ import annotations

from typing import Any, cast

from ray.tune.search import Searcher

from paribus.execution.turns.trial_queue import NextStep
from paribus.execution.unrestored import Unrestored
from paribus.execution.workers.trial_spec import config_of


class Proposals(Unrestored, Searcher):
    """What `next_step` hands out. It learns nothing from Tune: the driver's callback tells our engine."""

    def __init__(self, next_step: NextStep) -> None:
        super().__init__()
        self._next_step = next_step

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """The next trial's configuration, None for now, or Tune's word for the end."""
        found = self._next_step()
        if isinstance(found, str):
            return cast("dict[str, Any]", Searcher.FINISHED)
        return None if found is None else config_of(found)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: what ended is told to the engine as it is reported."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the ledger has it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the ledger has it."""

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Tune's own search space and metric, of which there are none."""
        return True
