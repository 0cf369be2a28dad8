"""What is amiss with a node, before it trains and where a trial fails on it: the node's fault, not a trial's."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paribus.engine.code_digest import OtherCodeError, check_node
from paribus.errors import DataError
from paribus.execution.room import fits
from paribus.execution.workers.trial_spec import Context, decode
from paribus.host.secrets import without_secrets
from paribus.host.storage import written
from paribus.recipe import RecipeError, trial_id
from paribus.shards.catalog import check_inputs, data_digest
from paribus.study.plan import Step, Trial

# What a node must take of records and checkpoints before it is sent a trial.
_ROOM_BYTES = 8 << 20
_GPU_PATIENCE_S = 20.0
# What CUDA says where the device or its driver is to blame, and no program is.
_BROKEN_GPU = (
    "uncorrectable ecc error",
    "uncorrectable nvlink error",
    "no cuda-capable device",
    "system not yet initialized",
    "system has unsupported display driver",
    "gpu is lost",
    "device(s) is/are busy or unavailable",
    "unable to determine the device handle",
    "cuda driver initialization failed",
)


class NodeError(RuntimeError):
    """Something is amiss with this node: its trials are for others."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was found on a node: its name, whether it has the driver's storage, and what is amiss ("": nothing), for
    each kind of trial and then for any."""

    host: str
    shares: bool
    faults: tuple[str, ...]


def alive() -> list[dict[str, Any]]:
    """The nodes that Ray knows to live."""
    import ray

    listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node for node in listed if node["Alive"]]


def has_others(request: Mapping[str, float]) -> bool:
    """Whether another node than this worker's would have room for such a request."""
    import ray

    here = ray.get_runtime_context().get_node_id()
    return any(node["NodeID"] != here and fits(node["Resources"], request) for node in alive())


def look(context: Context, steps: Sequence[str]) -> Look:
    """Look at this node, for one encoded step of each kind that it may be sent."""
    here = context.here()
    decoded = [decode(step) for step in steps]
    needs_gpus = any(step.trial.recipe.resources.gpus for step in decoded)
    found = (*(fault_for(here, step) for step in decoded), _told(lambda: _check_parts(here, needs_gpus=needs_gpus)))
    return Look(host=platform.node(), shares=not here.apart, faults=found)


def fault_for(here: Context, step: Step) -> str:
    """Why no trial such as this one can train here, in a sentence: another program, or its data; "" where it can."""

    def check() -> None:
        check_node(step.trial.recipe, step.code, here.versions)
        check_data_here(step, Path(here.home))

    return _told(check)


def _told(check: Callable[[], None]) -> str:
    try:
        check()
    except (OtherCodeError, DataError, RecipeError, NodeError) as error:
        return without_secrets(" ".join(str(error).split()))
    return ""


def _check_parts(here: Context, *, needs_gpus: bool) -> None:
    """Raise NodeError where the disk takes nothing, or a GPU is broken."""
    _check_room(here)
    if needs_gpus:
        _check_gpus()


def check_data_here(step: Step, home: Path) -> None:
    """Raise DataError unless the data of a trial are here, whole as far as lengths tell, and those it is named by."""
    check_inputs([step.trial.recipe], home)
    check_data(step.trial, data_digest(step.trial.recipe, home))


def check_data(trial: Trial, digest: str) -> None:
    """Raise DataError where the data here, `digest`, are not those that the trial was named by."""
    if trial.id != trial_id(trial.recipe, trial.seeds, digest):
        data = trial.recipe.data
        raise DataError(
            f"the shards of {data.shards or data.name} on {platform.node()} have the digest {digest[:12]}, and the "
            "study was planned with others: give every node the same shards, then start the study again"
        )


def is_of_node(error: BaseException, *, opened: bool) -> bool:
    """Whether an error that a trial met is its node's: another program, data that could not be opened, a broken GPU.

    `opened` says that the trial's data were: what is wrong with them after that is theirs.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"OtherCodeError", "NodeError"}:
        return True
    text = str(error).lower()
    return (not opened and "DataError" in names) or any(words in text for words in _BROKEN_GPU)


def _check_room(here: Context) -> None:
    """Raise NodeError where what a trial leaves behind cannot be written."""
    folder = Path(here.storage or here.home)
    try:
        with written(folder, _ROOM_BYTES):
            pass
    except OSError as error:
        raise NodeError(f"checkpoints and records cannot be written to {folder} ({error.strerror})") from None


def _check_gpus() -> None:
    """Raise NodeError where the driver of a GPU fails, or one counts memory errors that it could not correct."""
    command = ("nvidia-smi", "--query-gpu=index,name,ecc.errors.uncorrected.volatile.total", "--format=csv,noheader")
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_GPU_PATIENCE_S, check=False)
    except FileNotFoundError:
        return  # no tool that would tell; torch will
    except subprocess.TimeoutExpired:
        raise NodeError(f"nvidia-smi does not answer in {_GPU_PATIENCE_S:.0f} s: a GPU hangs") from None
    if told.returncode:
        raise NodeError(f"nvidia-smi fails: {' '.join((told.stdout + told.stderr).split())[:300]}")
    for line in told.stdout.splitlines():
        index, name, errors = (part.strip() for part in [*line.split(","), "", ""][:3])
        if errors.isdecimal() and int(errors):
            raise NodeError(f"GPU {index} ({name}) has {errors} memory errors that were not corrected: reset it")
