"""What keeps a study in its turn while Ray Tune runs: it asks trials to give way, and then ends the run of Tune."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.exceptions import RayError

from paribus.execution.room import fits
from paribus.execution.turns.trial_queue import TrialQueue
from paribus.execution.unrestored import Unrestored
from paribus.execution.workers.giving_way import Asking
from paribus.execution.workers.node_look import alive
from paribus.execution.workers.trial_spec import GAVE_WAY, TRIAL_ID

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial

_LOOK_S, _COUNT_S = 5.0, 0.25
# For how long trials may take to save themselves; what does not by then goes on from its last checkpoint.
_PATIENCE_S = 60.0
_HEAD = "node:__internal_head__"


class TurnKeeper(Unrestored, tune.Callback, tune.Stopper):
    """Between Tune and a study's turn: counts what ends, looks at the cluster, and stops Tune where others come first.

    Args:
        queue: what is handed out.
        requests: what trials ask for, by Ray's names, each once.
        asking: the name by which workers hear that they are asked.
        told: called with a line for people.
    """

    def __init__(
        self, queue: TrialQueue, requests: Sequence[dict[str, float]], asking: str, told: Callable[[str], None]
    ) -> None:
        self._queue, self._requests, self.name, self._told = queue, requests, asking, told
        self._asking: Asking | None = None
        self._asked_s = self._looked_s = self._counted_s = 0.0
        self._running = set[str]()
        # Who ran when all were asked; None as long as that has not been looked at.
        self._awaited: set[str] | None = None

    @property
    def cut(self) -> bool:
        """Whether what ran was asked to give way."""
        return self._asking is not None

    def look(self) -> None:
        """Tell the turn what the cluster has by now."""
        self._looked_s = time.monotonic()
        see(self._queue, self._requests)

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial ended, or waits at a rung; one that gave way is still to be trained."""
        if GAVE_WAY not in result and ("outcome" in result or result.get("paused")):
            self._queue.ended(result["trial_key"])

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Ray gave a trial up: it is not tried again in this run."""
        self._queue.ended(trial.config[TRIAL_ID])

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Between events, in each of which Tune shows all trials that there ever were."""
        now = time.monotonic()
        if now - self._counted_s < _COUNT_S and not self.cut:
            return
        self._counted_s = now
        self._running = {trial.trial_id for trial in trials if trial.status == "RUNNING"}
        if self.cut and self._awaited is None:
            self._awaited = set(self._running)
        turn = self._queue.turn
        turn.ran(len(self._running))
        if now - self._looked_s > _LOOK_S:
            self.look()
        text = turn.text()
        if text != turn.said and not self.cut:
            turn.said = text
            self._told(f"{turn.name} {text}" if text else "no other study shares the cluster now")

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """No single trial is stopped."""
        return False

    def stop_all(self) -> bool:
        """Whether all has given way, or has had the time to."""
        queue = self._queue
        if self._asking is None:
            if not queue.turn.over(queue.num_out):
                return False
            self._told(f"{queue.turn.name} is to give way: what runs saves itself, and goes on from there")
            self._asking, self._asked_s = Asking(self.name), time.monotonic()
        # Others may start meanwhile, in the places of these.
        have_left = self._awaited is not None and not self._awaited & self._running
        return have_left or time.monotonic() - self._asked_s > _PATIENCE_S

    def end(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            with suppress(RayError):
                self._asking.end()


def see(queue: TrialQueue, requests: Sequence[dict[str, float]]) -> None:
    """Tell a queue and its turn which cluster this is, the places that it would have alone, and what is to go."""
    nodes, request = alive(), common_request(requests)
    head = next((str(node["NodeID"]) for node in nodes if _HEAD in node["Resources"]), "")
    places = sum(fits(node["Resources"], request) for node in nodes)
    queue.turn.see(head, places, queue.wants)
    # Of those that ask for less there may be room for more.
    queue.places = places if places and len(requests) == 1 else None


def common_request(requests: Sequence[dict[str, float]]) -> dict[str, float]:
    """The most that any trial asks for: by it places are counted."""
    return {name: max(each.get(name, 0.0) for each in requests) for each in requests for name in each}
