"""Nodes that are put aside: the scheduler of Tune that sends no more trials there.

Tune asks for a trial's place where it adds it and where it takes it up again; there a label of the node's id keeps it
away. What was asked for before may still come to such a node, is refused there at once, and goes elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
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
# How long a node that was lost may take to come back, while those that are left are put aside.
_BACK_S = 120.0
_LABEL = "ray.io/node-id"


def place(config: dict[str, Any], aside: Iterable[str] = ()) -> PlacementGroupFactory:
    """Where a trial may train: what it asks for, on no node of those that are put aside."""
    return _place(tuple(config[REQUEST].items()), ",".join(sorted(aside)))


@cache
def _place(request: tuple[tuple[str, float], ...], aside: str) -> PlacementGroupFactory:
    """The same object for the same place: Tune looks waiting trials and idle workers up by it, and compares two that
    are equal by their whole signature."""
    bundle: dict[str, int | float] = dict(request)
    if not aside:
        return tune.PlacementGroupFactory([bundle])
    return tune.PlacementGroupFactory([bundle], bundle_label_selector=[{_LABEL: f"!in({aside})"}])


class NodesAside(Unrestored, FIFOScheduler):
    """First come, first served, and nothing on nodes that are put aside.

    Args:
        told: called with a node's name and what is amiss with it.
    """

    def __init__(self, nodes: Nodes, told: Callable[[str, str], None]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._nodes, self._told = nodes, told
        self._aside: dict[str, str] = {}
        self._alone_s = 0.0  # since when no node is left
        for node, fault in nodes.faults.items():
            self._put_aside(node, nodes.names[node], fault)

    def on_trial_add(self, tune_controller: TuneController, trial: TuneTrial) -> None:
        """A trial is new, or waits again."""
        if self._aside:
            trial.update_resources(place(trial.config, self._aside))

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
            trial.update_resources(place(trial.config, self._aside))

    def check(self) -> None:
        """Raise ClusterError where every node that has room for a trial is put aside."""
        if not self._aside:
            return
        fault = left_out(alive(), self._aside, self._nodes.requests)
        if not fault:
            self._alone_s = 0.0
            return
        self._alone_s = self._alone_s or time.monotonic()
        if set(self._nodes.names) <= set(self._aside) or time.monotonic() - self._alone_s > _BACK_S:
            raise ClusterError(
                f"every node is put aside, the last for {fault}; mend what the lines above name, and the same command "
                "goes on"
            )

    def _put_aside(self, node: str, name: str, fault: str) -> None:
        if node not in self._aside:
            self._aside[node] = fault
            self._told(name, fault)


def left_out(
    living: Iterable[Mapping[str, Any]], aside: Mapping[str, str], requests: Iterable[Mapping[str, float]]
) -> str:
    """What is amiss with the last of the living nodes that are put aside, where no other has room for a request.

    "" where another one has, and where none that lives is put aside: nodes that are gone may come back, by other ids.
    """
    there = {node["NodeID"]: node["Resources"] for node in living}
    faults = [fault for node, fault in aside.items() if node in there]
    free = [resources for node, resources in there.items() if node not in aside]
    if not faults or any(fits(resources, request) for resources in free for request in requests):
        return ""
    return faults[-1]


class NodesLeft(Unrestored, tune.Callback):
    """Asks `check` now and then, which raises where no node is left: Tune would wait for one for ever."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check, self._asked = check, 0.0

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Between events."""
        if time.monotonic() - self._asked > _ASK_S:
            self._asked = time.monotonic()
            self._check()
