"""A study as a job of a Ray cluster, by Ray's Jobs API: from any folder, by a file of any mode."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.execution.room import ClusterError, first_line
from paribus.host.ray_access import token_advice
from paribus.host.say import say

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

# What a folder of studies holds that no study reads: the ledger and the data of a project, environments, caches.
LEFT_OUT = (".paribus/", ".git/", ".venv/", "venv/", "__pycache__/", ".mypy_cache/", ".ruff_cache/", "*.tar", "*.pt")
# What of the shell is about the study; its home, ledger and ports are the cluster's own.
_NOT_OURS = ("PARIBUS_HOME",)


def submit(address: str, folder: Path, file: str, options: Sequence[str], env: Mapping[str, str]) -> str:
    """Submit the study `file` of `folder`, which travels, with the options of `run`; the job's id.

    Raises:
        ClusterError: the cluster does not answer, or does not take the folder.
    """
    ours = {name: value for name, value in env.items() if name.startswith("PARIBUS_") and name not in _NOT_OURS}
    ours = {name: value for name, value in ours.items() if not name.endswith("_PORT")}
    runtime = {
        "working_dir": str(folder),
        "excludes": list(LEFT_OUT),
        "env_vars": {**ours, "PYTHONUNBUFFERED": "1"},
    }
    entrypoint = shlex.join(["python", "-m", "paribus", "run", file, *options])
    client = _client(address)
    logging.disable(logging.WARNING)  # Ray names each file that is left out, as often as it looks
    try:
        return str(client.submit_job(entrypoint=entrypoint, runtime_env=runtime))
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise ClusterError(
            f"the cluster at {address} does not take {folder}: {first_line(error)}. What is not for it can be named "
            f"in {folder / '.rayignore'}, as in a .gitignore"
        ) from None
    finally:
        logging.disable(logging.NOTSET)


def follow(address: str, job: str) -> int:
    """Print what the job prints until it ends; its exit code, 1 where it ended without one.

    Raises:
        ClusterError: the cluster was lost meanwhile.
    """
    client = _client(address)
    try:
        asyncio.run(_print(client, job))
        told = client.get_job_info(job)
    except (ConnectionError, RuntimeError, OSError) as error:
        raise ClusterError(f"the cluster at {address} was lost ({first_line(error)})") from None
    if str(told.status) == "SUCCEEDED":
        return 0
    return told.driver_exit_code or 1


async def _print(client: JobSubmissionClient, job: str) -> None:
    logging.disable(logging.INFO)  # Ray tells of its own connection beside the job's words
    async for lines in client.tail_job_logs(job):
        say(lines.removesuffix("\n"))


def _client(address: str) -> JobSubmissionClient:
    # No proxy is asked for the loopback address, which none could reach.
    spared = [os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or "", "127.0.0.1,localhost"]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(filter(None, spared))
    # Ray lets what the shell exports go before the address that it is given.
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        os.environ.pop(name, None)
    from ray.exceptions import AuthenticationError, RayError
    from ray.job_submission import JobSubmissionClient

    try:
        return JobSubmissionClient(address)
    except AuthenticationError as error:
        raise ClusterError(f"the Ray at {address} does not let us in ({first_line(error)}): {token_advice()}") from None
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise ClusterError(
            f"no Ray answers at {address} ({first_line(error)}): `paribus up` starts one on this machine; another "
            "one's dashboard is named by --address http://HOST:8265"
        ) from None
