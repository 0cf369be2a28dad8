"""Nodes that are put aside: the scheduler of Tune that sends no more trials there.

Tune asks for a trial's place where it adds it and where it takes it up again; there a label of the node's id keeps it
away. What was asked for before may still come to such a node, is refused there at once, and goes elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune.schedulers import FIFOScheduler

from paribus.execution.nodes import Nodes
from paribus.execution.room import ClusterError, fits
from paribus.execution.unrestored import Unrestored
from paribus.execution.workers.node_look import alive
from paribus.execution.workers.trial_spec import FAULT, MOVES, NODE, NOTICED, REQUEST, RESTARTS

if TYPE_CHECKING:
    from ray.tune import PlacementGroupFactory
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial as TuneTrial

_ASK_S = 2.0
_LABEL = "ray.io/node-id"


class NodesAside(Unrestored, FIFOScheduler):
    """First come, first served, and nothing on nodes that are put aside.

    Args:
        told: called with a node's name and what is amiss with it.
    """

    def __init__(self, nodes: Nodes, told: Callable[[str, str], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._nodes, self._told = nodes, told
        self._aside: dict[str, str] = {}
        for node, fault in nodes.faults.items():
            self._put_aside(node, nodes.names[node], fault)

    def place(self, config: dict[str, Any]) -> PlacementGroupFactory:
        """Where a trial may train."""
        request: dict[str, int | float] = {**config[REQUEST]}
        if not self._aside:
            return tune.PlacementGroupFactory([request])
        away = f"!in({','.join(sorted(self._aside))})"
        return tune.PlacementGroupFactory([request], bundle_label_selector=[{_LABEL: away}])

    def on_trial_add(self, tune_controller: TuneController, trial: TuneTrial) -> None:
        """A trial is new, or waits again."""
        if self._aside:
            trial.update_resources(self.place(trial.config))

    def on_trial_result(self, tune_controller: TuneController, trial: TuneTrial, result: dict[str, Any]) -> str:
        """A worker says that something is amiss with its node."""
        if FAULT in result:
            if NOTICED not in result:
                trial.config[MOVES] = trial.config.get(MOVES, 0) + 1
            node, name = result[NODE]
            self._put_aside(node, name, result[FAULT])
        decision: str = super().on_trial_result(tune_controller, trial, result)
        return decision

    def on_trial_error(self, tune_controller: TuneController, trial: TuneTrial) -> None:
        """Its worker was lost, or its node is put aside; Tune takes it up again, by its own count of how often."""
        trial.config[RESTARTS] = trial.config.get(RESTARTS, 0) + 1
        if self._aside:
            trial.update_resources(self.place(trial.config))

    def check(self) -> None:
        """Raise ClusterError where every node that has room for a trial is put aside."""
        if not self._aside:
            return
        left = [node for node in alive() if node["NodeID"] not in self._aside]
        if not any(fits(node["Resources"], request) for node in left for request in self._nodes.requests):
            raise ClusterError(
                "every node is put aside, the last for "
                f"{list(self._aside.values())[-1]}; mend what the lines above name, and the same command goes on"
            )

    def _put_aside(self, node: str, name: str, fault: str) -> None:
        if node not in self._aside:
            self._aside[node] = fault
            self._told(name, fault)


class NodesLeft(Unrestored, tune.Callback):
    """Asks `check` now and then, which raises where no node is left: Tune would wait for one for ever."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check, self._asked = check, 0.0

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Between events."""
        if time.monotonic() - self._asked > _ASK_S:
            self._asked = time.monotonic()
            self._check()
