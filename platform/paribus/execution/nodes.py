"""The nodes of a cluster before a study trains on them: what is amiss with one, and whether they share a storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from paribus.execution.room import first_line, request_of
from paribus.execution.workers.node_look import Look, look
from paribus.execution.workers.trial_spec import Context, encode
from paribus.host.storage import STORAGE
from paribus.study.plan import Step

# A node starts a process for it, which a crowded machine may take its time for; one that is slower is taken as it is.
_PATIENCE_S = 90.0


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """The nodes with room for a trial, by Ray's id; `slots` trials have room at once.

    `faults` says what is amiss with some, by id; none is where something is amiss with all, `everywhere`, for then it
    is no node's fault, and trials say it. `apart` are the names of those without the driver's storage.
    """

    names: dict[str, str]
    slots: int
    faults: dict[str, str] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    everywhere: bool = False

    @property
    def spared(self) -> bool:
        """Whether a trial that fails by its node's fault may be sent to another one."""
        return len(self.names) > 1 and not self.everywhere


def alive() -> list[dict[str, Any]]:
    """The nodes that Ray knows to live."""
    import ray

    listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in listed if node["Alive"]]


def look_at_nodes(steps: Sequence[Step], context: Context) -> Nodes:
    """Ask each node that has room for a trial of `steps`; a cluster of one is not asked, for its trials tell it."""
    requests = [request_of(step.trial.recipe) for step in _kinds(steps)]
    rooms = {node["NodeID"]: sum(_fits(node, request) for request in requests[:1]) for node in alive()}
    names = {
        node["NodeID"]: node["NodeManagerHostname"] for node in alive() if any(_fits(node, each) for each in requests)
    }
    slots = sum(rooms.get(node, 0) for node in names)
    if len(names) < 2:
        return Nodes(names=names, slots=slots)
    found = _looks(list(names), context, [encode(step) for step in _kinds(steps)])
    names |= {node: each.host for node, each in found.items() if each.host}
    faults = {node: each.fault for node, each in found.items() if each.fault}
    apart = tuple(sorted(names[node] for node, each in found.items() if not each.shares))
    everywhere = len(faults) == len(names)
    return Nodes(names=names, slots=slots, faults={} if everywhere else faults, apart=apart, everywhere=everywhere)


def apart_text(nodes: Nodes, context: Context) -> str:
    """What it means that some nodes have not the driver's storage; "" where all have it."""
    if not nodes.apart:
        return ""
    have = "does not have" if len(nodes.apart) == 1 else "do not have"
    return (
        f"note: {', '.join(nodes.apart)} {have} {context.storage}: checkpoints stay on each of them, so that a trial "
        f"whose node is lost begins again from step 0 on another one, and records go to MLflow or, where it is away, "
        f"to this driver as a trial ends. {STORAGE}, a folder that every node has, keeps both"
    )


def _kinds(steps: Sequence[Step]) -> list[Step]:
    """One step of each code, data and request: what a node has to have for all of them."""
    kinds: dict[tuple[str, str, str], Step] = {}
    for step in steps:
        recipe = step.trial.recipe
        kinds.setdefault((step.code, recipe.data.model_dump_json(), str(request_of(recipe))), step)
    return list(kinds.values())


def _fits(node: dict[str, Any], request: dict[str, float]) -> int:
    """How many such requests the node has room for."""
    there = node["Resources"]
    return int(min(there.get(name, 0) / amount for name, amount in request.items() if amount))


def _looks(nodes: Sequence[str], context: Context, steps: list[str]) -> dict[str, Look]:
    """What each node says; those that do not answer are left out, and one that fails at it has that for a fault."""
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    asked = {
        ray.remote(look)
        .options(num_cpus=0, max_retries=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False))
        .remote(context, steps): node
        for node in nodes
    }
    done, slow = ray.wait(list(asked), num_returns=len(asked), timeout=_PATIENCE_S)
    for ref in slow:
        ray.cancel(ref, force=True)
    found = {}
    for ref in done:
        try:
            found[asked[ref]] = ray.get(ref)
        except RayError as error:
            found[asked[ref]] = Look(host="", shares=True, fault=f"it cannot be asked: {first_line(error)}")
    return found
