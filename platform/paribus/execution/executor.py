"""The one executor: a plan's steps on Ray Tune, through its public interface alone."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.execution.nodes import Nodes, apart_text, look_at_nodes
from paribus.execution.own_ray import TRIES, RayStartError, guard, own_ray
from paribus.execution.room import ClusterError as ClusterError
from paribus.execution.room import check_room, first_line, request_of
from paribus.execution.turns.trial_queue import NextStep, TrialQueue, in_order
from paribus.execution.workers.failures import MAX_MOVES, MAX_NODE_RETRIES
from paribus.execution.workers.node_look import alive
from paribus.execution.workers.own_files import check_nodes, packed, references
from paribus.execution.workers.trial_spec import Context
from paribus.host.child_environment import child_environment
from paribus.host.held_folder import HeldFolder
from paribus.host.interruption import end_is_asked, tune_running
from paribus.host.ray_access import token_advice
from paribus.recipe import Recipe
from paribus.study.plan import Plan, Step

if TYPE_CHECKING:
    from paribus.execution.run_ledger import RunLedger
    from paribus.execution.run_progress import RunProgress
    from paribus.execution.turns.keep_turn import TurnKeeper

# Tune's own loggers and snapshots are switched off: the ledger is ours, Tune is an executor (peers.md, rule 1).
_TUNE_SETTINGS = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
}

_SCRATCH = "paribus-tune-"
_TURN_POLL_S = 0.5
_LEAST_PENDING = 4
# What each worker calls as it starts, where files of the user's travel.
_SETUP = "paribus.execution.workers.own_files.stand_where_they_lie"


@contextmanager
def cluster(num_cpus: int | None = None, modules: Sequence[str] = (), stack: str = "") -> Iterator[str]:
    """Connect to the cluster at RAY_ADDRESS, else to the `stack` that is up at that address, else start one for the
    while.

    `modules` are folders of Python files that its workers get, see own_files.py.

    Yields a phrase that says which. Only a cluster that this call started is shut down at its end.

    Raises:
        ClusterError: the address that was given does not answer, or the cluster was lost meanwhile; or `num_cpus` is
            given for a cluster that runs already.
    """
    os.environ.update({key: value for key, value in _TUNE_SETTINGS.items() if key not in os.environ})
    # Our handler of SIGINT is that of the other signals too, and asks for the same orderly end by SIGUSR1.
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    address = os.environ.get("RAY_ADDRESS")
    if address == "local":
        address = None
    if address and num_cpus:
        raise ClusterError(
            f"--cpus {num_cpus} sizes the Ray that is started where none runs, and RAY_ADDRESS={address} names one: "
            "drop one of the two"
        )
    if address:
        guard()
        named = f"RAY_ADDRESS={address}"
        with _connected(lambda: _join(address, named, "unset RAY_ADDRESS to train on a Ray of its own", modules)):
            yield f"the Ray cluster at {address}"
        return
    if stack:
        guard(joins=True)
        with _connected(lambda: _join(stack, stack, "say --cpus N to train on a Ray of its own", modules)):
            yield f"the Ray of the stack at {stack}"
        return
    place, cpus = Path(os.environ.get("RAY_TMPDIR") or "/tmp"), num_cpus or os.cpu_count() or 1
    try:
        with own_ray(place, cpus) as own, _connected(lambda: _enter(own, modules)):
            yield f"a Ray of its own on {cpus} CPUs"
    except RayStartError as error:
        raise ClusterError(_why_not(place, error)) from None


@contextmanager
def cluster_for(recipes: Sequence[Recipe], num_cpus: int | None, stack: str = "") -> Iterator[str]:
    """`cluster`, whose workers have the components of one's own that these recipes name.

    Raises:
        ClusterError: as `cluster`. RecipeError: a node has not what a recipe names.
    """
    with packed(recipes) as modules, cluster(num_cpus, modules, stack) as where:
        check_nodes(references(recipes))
        yield where


@contextmanager
def _connected(connect: Callable[[], None]) -> Iterator[None]:
    """Be a driver of a cluster for the while."""
    # Ray's library takes SIGTERM over while it connects, and would end the driver without a word to the ledger.
    on_term = signal.getsignal(signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        connect()
    finally:
        signal.signal(signal.SIGTERM, on_term)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    import ray
    from ray.exceptions import RayError
    from ray.tune import TuneError

    try:
        yield
    except (RayError, TuneError) as error:
        raise ClusterError(
            f"the cluster was lost ({first_line(error)}); the same command goes on from here, once a cluster is up"
        ) from error
    finally:
        ray.shutdown()


def _join(address: str, named: str, instead: str, modules: Sequence[str] = ()) -> None:
    import ray
    from ray.exceptions import AuthenticationError

    host, _, port = address.removeprefix("ray://").rpartition(":")
    answered = False
    try:
        if port.isdecimal():
            # Ray itself would try for minutes.
            socket.create_connection((host.strip("[]"), int(port)), timeout=10.0).close()
            answered = True
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=_carrying(modules))
    except (OSError, ValueError, RuntimeError, AuthenticationError) as error:
        if answered:
            raise ClusterError(
                f"{named} does not let us in ({first_line(error)}): {token_advice()}; or {instead}"
            ) from None
        raise ClusterError(
            f"no Ray cluster answers at {named} ({first_line(error)}): start one (paribus up), or {instead}"
        ) from None


def _enter(address: str, modules: Sequence[str] = ()) -> None:
    """Connect to a Ray of our own, whatever the shell exports for another one."""
    import ray

    meant = child_environment()
    strange = {name: os.environ.pop(name) for name in list(os.environ) if name not in meant}
    try:
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=_carrying(modules))
    except (OSError, RuntimeError) as error:
        raise ClusterError(
            f"the Ray of its own ended while the study joined it ({first_line(error)}): try again"
        ) from None
    finally:
        os.environ.update(strange)


def _carrying(modules: Sequence[str]) -> dict[str, object] | None:
    """Ray's runtime environment; None, which costs nothing, where nothing has to travel."""
    return {"py_modules": list(modules), "worker_process_setup_hook": _SETUP} if modules else None


def _why_not(place: Path, error: RayStartError) -> str:
    if error.lasting:
        return (
            f"Ray cannot start below {place} ({first_line(error)}): set RAY_TMPDIR to a folder with a short path, of "
            "at most about 20 characters, and some room"
        )
    return (
        f"Ray did not start in {TRIES} tries ({error}): the machine may be busy. The same command goes on from here; "
        "--cpus with a smaller number asks less of it"
    )


def execute(plan: Plan, context: Context, callbacks: list[RunProgress], ledger: RunLedger) -> None:
    """Train every step that is to do, in the order of the plan's queue; returns when all are done or it is interrupted.

    Args:
        ledger: by which it knows who shares the cluster, and whether it is paused.

    Raises:
        ClusterError: a trial asks for more than the largest node has.
    """
    if not plan.todo:
        return
    _check_resources(plan.todo)
    queue = TrialQueue(*in_order(plan.queue), ledger.turn)
    requests = [request_of(step.trial.recipe) for step in plan.todo]
    nodes = look_at_nodes(plan.queue, context)
    # Where trials ask for unlike amounts, what runs next is asked for ahead of its place.
    with _head_watched(ledger), _few_pending(nodes.slots):
        _in_turns(queue, requests, context, callbacks, nodes, ledger)


def execute_proposed(
    next_step: NextStep,
    left: Callable[[], int],
    sample: Step,
    context: Context,
    callbacks: list[RunProgress],
    ledger: RunLedger,
) -> None:
    """Train what `next_step` hands out, one step whenever there is room, until it has no more.

    Args:
        left: how many trials are to be handed out yet.
        sample: a step of the search; the others ask for as much.
        ledger: as for `execute`.

    Raises:
        ClusterError: a trial asks for more than the largest node has.
    """
    _check_resources((sample,))
    queue = TrialQueue(next_step, left, ledger.turn)
    nodes = look_at_nodes((sample,), context)
    with _head_watched(ledger):
        _in_turns(queue, [request_of(sample.trial.recipe)], context, callbacks, nodes, ledger)


def _head_watched(ledger: RunLedger) -> AbstractContextManager[None]:
    import ray

    from paribus.execution.head_watch import head_watched

    return head_watched(str(ray.get_runtime_context().gcs_address), ledger.cut_off)


def _in_turns(
    queue: TrialQueue,
    requests: Sequence[dict[str, float]],
    context: Context,
    callbacks: list[RunProgress],
    nodes: Nodes,
    ledger: RunLedger,
) -> None:
    """Ray Tune over a queue, as often as it gives way to others and its turn comes again."""
    from paribus.execution.turns.keep_turn import TurnKeeper, see

    def tell(text: str) -> None:
        for callback in callbacks:
            callback.learn(text)

    tell(apart_text(nodes, context))
    kinds = list({tuple(each.items()): each for each in requests}.values())
    while queue.has_more():
        see(queue, kinds)
        ledger.agree()
        while queue.turn.over(0):
            for callback in callbacks:
                callback.hold(f"{queue.turn.name} {queue.turn.text()}")
            time.sleep(_TURN_POLL_S)
            see(queue, kinds)
        keeper = TurnKeeper(queue, kinds, f"give-way-{uuid.uuid4().hex}", tell)
        try:
            _fit(replace(context, asking=keeper.name, movable=not nodes.everywhere), callbacks, queue, nodes, keeper)
        finally:
            keeper.end()
        if not (keeper.cut or queue.turn.over(0)) or end_is_asked():
            break
        queue.take_back()
        ledger.gave_way()
        for callback in callbacks:
            callback.gave_way()
    queue.turn.leave()


def _fit(context: Context, callbacks: list[RunProgress], queue: TrialQueue, nodes: Nodes, keeper: TurnKeeper) -> None:
    """Ray Tune over what a queue hands out."""
    from ray import tune

    from paribus.execution.aside import NodesAside, NodesLeft, place
    from paribus.execution.handed import HandedRecords
    from paribus.execution.searches.proposals import Proposals
    from paribus.execution.telemetry import DriverMetrics
    from paribus.execution.workers.worker import TrialWorker

    def put_aside(name: str, fault: str) -> None:
        for callback in callbacks:
            callback.put_aside(name, fault)

    scheduler = NodesAside(nodes, put_aside)

    # It prints a traceback of its own insides for every lost worker, and how to restore what is never restored.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    worker = tune.with_parameters(TrialWorker, context=context)
    scratch = HeldFolder(Path(tempfile.gettempdir()), _SCRATCH)
    try:
        tuner = tune.Tuner(
            tune.with_resources(worker, place),
            tune_config=tune.TuneConfig(
                reuse_actors=True, scheduler=scheduler, search_alg=Proposals(queue.next), num_samples=-1
            ),
            run_config=tune.RunConfig(
                name=context.study,
                storage_path=str(scratch.path),
                verbose=0,
                stop=keeper,
                callbacks=[
                    keeper,
                    HandedRecords(context.outbox),
                    *callbacks,
                    NodesLeft(scheduler.check),
                    DriverMetrics(context),
                ],
                # Our own checkpoints resume a trial to the bit; Tune's would only add a copy at the end of each.
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False, checkpoint_frequency=0),
                failure_config=tune.FailureConfig(max_failures=MAX_NODE_RETRIES + MAX_MOVES * (len(nodes.names) > 1)),
            ),
        )
        with tune_running():
            tuner.fit()
    finally:
        scratch.release(remove=True)


@contextmanager
def _few_pending(slots: int) -> Iterator[None]:
    """Within the block Tune asks for no more places ahead than the cluster has: what it asked for before a node is put
    aside may come there yet. 0: as many as it wants to."""
    name, most = "TUNE_MAX_PENDING_TRIALS_PG", str(max(slots, _LEAST_PENDING))
    if not slots or name in os.environ:
        yield
        return
    os.environ[name] = most
    try:
        yield
    finally:
        os.environ.pop(name, None)


def _check_resources(steps: tuple[Step, ...]) -> None:
    check_room((step.trial.recipe for step in steps), [node["Resources"] for node in alive()])
