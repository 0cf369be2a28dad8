"""On what a study of this shell would train: the cluster that is named, the stack that is up, or a Ray of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from paribus.host.ray_access import TOKEN, AccessError, joining, read_token
from paribus.local import parts as stack_parts
from paribus.local import record as stack_record
from paribus.local.errors import StackError
from paribus.local.ray_head import access

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
    return f"{entry.host}:{entry.gcs_port}" if entry else ""


def access_to(home: Path) -> dict[str, str]:
    """What a process that speaks to the stack's Ray has in its environment, before Ray's library is loaded there."""
    entry = stack_ray(home)
    if entry is None:
        return {}
    token = Path(entry.token_file) if entry.token_file else None
    return {**joining(f"{entry.host}:{entry.gcs_port}"), **access(token)}


def settle_access(home: Path, url: str = "") -> None:
    """Give this process access to the stack's Ray, or to the one at `url` where that is the stack's.

    Raises:
        StackError: the token cannot be read, or what this process runs has loaded Ray before.
    """
    entry = stack_ray(home)
    if entry is None or url.rstrip("/") not in ("", entry.url):
        return
    needed = access_to(home)
    if why := refusal(entry):
        raise StackError(f"the stack's Ray {why}: put its own back, or `paribus down`, then `paribus up`")
    if "ray" in sys.modules and any(os.environ.get(name) != value for name, value in needed.items()):
        words = " ".join(f"{name}={value}" for name, value in needed.items())
        raise StackError(
            "Ray is loaded in this process already, and knows nothing of the stack's: start it anew (in a notebook, "
            f"the kernel); where a study's file imports ray, do so inside its functions, or type\n  export {words}"
        )
    os.environ.pop(TOKEN, None)
    os.environ.update(needed)


def _headers(entry: stack_record.Entry) -> dict[str, str]:
    """What the stack's Ray wants to see over HTTP. Raises AccessError where its token cannot be read."""
    return {"Authorization": f"Bearer {read_token(Path(entry.token_file))}"} if entry.token_file else {}


def refusal(entry: stack_record.Entry) -> str:
    """Why the stack's Ray does not take the token that lies where its was, in words; "" where it does, or is silent."""
    if not entry.token_file:
        return ""
    import httpx

    try:
        code = httpx.get(f"{entry.url}/api/version", headers=_headers(entry), timeout=1.0, trust_env=False).status_code
    except AccessError as error:
        return f"asks for its token, and {error}"
    except httpx.HTTPError:
        return ""
    if code in (401, 403):
        return f"does not take the token in {entry.token_file}, which is not the one that it was started with"
    return ""


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
    import httpx  # only where a stack is up: it takes as long to load as half of a plan

    try:
        url, headers = f"{entry.url}/api/v0/nodes", _headers(entry)
        answer = httpx.get(url, headers=headers, timeout=_PATIENCE_S, trust_env=False).json()
        rows = answer["data"]["result"]["result"]
        return [dict(row["resources_total"]) for row in rows if row["state"] == "ALIVE"]
    except (AccessError, httpx.HTTPError, ValueError, KeyError, TypeError):
        return []  # a Ray that takes another token, or tells it in another way: `run` will see


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
