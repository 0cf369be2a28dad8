"""The nodes of a cluster before a study trains on them: what is amiss with one, and whether they share a storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from paribus.execution.room import first_line, fits, request_of
from paribus.execution.workers.node_look import Look, alive, look
from paribus.execution.workers.trial_spec import Context, encode
from paribus.host.storage import STORAGE
from paribus.study.plan import Step

# A node starts a process for it, which a crowded machine may take its time for; one that is slower is taken as it is.
_PATIENCE_S = 90.0


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """The nodes with room for a trial, by Ray's id; `slots` trials have room at once, of the `requests` that there are.

    `faults` says what is amiss with some, by id. What is amiss with all, `everywhere`, is no node's fault, and trials
    say it. `apart` are the names of those without the driver's storage.
    """

    names: dict[str, str]
    slots: int
    requests: tuple[dict[str, float], ...]
    faults: dict[str, str] = field(default_factory=dict)
    apart: tuple[str, ...] = ()
    everywhere: bool = False


def look_at_nodes(steps: Sequence[Step], context: Context) -> Nodes:
    """Ask each node that has room for a trial of `steps`; a cluster of one is not asked, for its trials tell it."""
    kinds = _kinds(steps)
    requests = tuple(request_of(step.trial.recipe) for step in kinds)
    nodes = [node for node in alive() if any(fits(node["Resources"], each) for each in requests)]
    names = {node["NodeID"]: node["NodeManagerHostname"] for node in nodes}
    slots = sum(fits(node["Resources"], requests[0]) for node in nodes)
    if len(names) < 2:
        return Nodes(names=names, slots=slots, requests=requests)
    found = _looks(list(names), context, [encode(step) for step in kinds])
    # One that was lost meanwhile has no fault, and comes back by another id.
    living = {node["NodeID"] for node in alive()}
    found = {node: told for node, told in found.items() if node in living}
    names = {node: name for node, name in names.items() if node in living}
    names |= {node: each.host for node, each in found.items() if each.host}
    apart = tuple(sorted(names[node] for node, each in found.items() if not each.shares))
    # By kind of trial, and last what holds for any: what is amiss on every node is no node's fault.
    common = [
        len(found) == len(names) and all(column)
        for column in zip(*(each.faults for each in found.values()), strict=True)
    ]
    own = {
        node: [fault for fault, all_have in zip(each.faults, common, strict=True) if fault and not all_have]
        for node, each in found.items()
    }
    faults = {node: told[0] for node, told in own.items() if told}
    return Nodes(names=names, slots=slots, requests=requests, faults=faults, apart=apart, everywhere=any(common))


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
            found[asked[ref]] = Look(
                host="", shares=True, faults=("",) * len(steps) + (f"it cannot be asked: {first_line(error)}",)
            )
    return found
