"""On what a study of this shell would train: the cluster that is named, the stack that is up, or a Ray of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx

from paribus.local import parts as stack_parts
from paribus.local import record as stack_record
from paribus.local.errors import StackError

_PATIENCE_S = 2.0


def stack_ray(home: Path) -> stack_record.Entry | None:
    """The stack's Ray, where it is up."""
    try:
        entry = stack_record.read(home).get("ray")
    except StackError:
        return None
    return entry if entry is not None and not stack_parts.fault("ray", entry) else None


def to_join(home: Path, num_cpus: int | None, env: Mapping[str, str] = os.environ) -> str:
    """The address of the stack's Ray; "" where the shell names a cluster, or a Ray of its own is asked for."""
    if env.get("RAY_ADDRESS") or num_cpus:
        return ""
    entry = stack_ray(home)
    return f"127.0.0.1:{entry.gcs_port}" if entry else ""


def nodes_of(
    home: Path, num_cpus: int | None, env: Mapping[str, str] = os.environ, *, needs_gpus: bool = True
) -> list[dict[str, float]]:
    """What each node there would have, by Ray's names; [] where that is known only once a study has joined it.

    The stack's Ray is asked over HTTP; a Ray of its own has what this machine has. Its GPUs are asked for only where a
    study `needs_gpus`: nvidia-smi takes as long as all the rest of a plan.
    """
    address = env.get("RAY_ADDRESS", "")
    if address and address != "local":
        return []
    entry = None if address or num_cpus else stack_ray(home)
    if entry is None:
        gpus = _num_gpus(env) if needs_gpus else 0
        return [] if gpus is None else [{"CPU": float(num_cpus or os.cpu_count() or 1), "GPU": float(gpus)}]
    try:
        answer = httpx.get(f"{entry.url}/api/v0/nodes", timeout=_PATIENCE_S, trust_env=False).json()
        rows = answer["data"]["result"]["result"]
        return [dict(row["resources_total"]) for row in rows if row["state"] == "ALIVE"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return []  # a Ray that asks for a token, or tells it in another way: `run` will see


def _num_gpus(env: Mapping[str, str]) -> int | None:
    """The GPUs that a process here sees; None where nvidia-smi does not tell."""
    if (visible := env.get("CUDA_VISIBLE_DEVICES")) is not None:
        return len([each for each in visible.split(",") if each.strip() not in ("", "-1", "NoDevFiles")])
    try:
        told = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
    except FileNotFoundError:
        return 0
    except (subprocess.SubprocessError, OSError):
        return None
    return sum(line.startswith("GPU ") for line in told.stdout.splitlines())
