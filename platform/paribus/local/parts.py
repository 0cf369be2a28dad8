"""The three parts of the local stack: how each is started and how it shows that it answers."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from paribus.host import process_family as stack_process
from paribus.host.child_environment import child_environment
from paribus.local import ray_head as stack_ray
from paribus.local.errors import StackError
from paribus.local.record import Entry
from paribus.local.settings import Settings
from paribus.tracking.address import folder_of
from paribus.tracking.mlflow.server import running_server

TITLES = {"ray": "Ray", "mlflow": "MLflow", "dashboard": "dashboard"}
_HEALTH = {"ray": "/api/jobs/", "mlflow": "/health", "dashboard": "/_stcore/health"}


def require(settings: Settings) -> None:
    """Raises StackError where something is missing that a part needs, before any of them is started."""
    if not settings.page.is_file():
        raise StackError(
            f"{settings.page}, the dashboard's first page, is missing: install Paribus again, or work in a whole "
            "checkout of it"
        )


def launch(name: str, settings: Settings, ports: Mapping[str, int]) -> Entry:
    """Start part `name`, without waiting until it answers."""
    tracking_uri = f"http://127.0.0.1:{ports['mlflow']}"
    env, log = _environment(settings, tracking_uri), settings.log(name)
    if name != "mlflow":
        env.pop("PGPASSWORD", None)  # the database's, which no job needs to know
    if name == "ray":
        stack_ray.prepare_folder(settings.ray_folder)
        env, command = stack_ray.environment(env, settings), stack_ray.command(settings, ports)
    elif name == "mlflow":
        module = "paribus.local.mlflow_server"
        command = [sys.executable, "-m", module, str(settings.ledger), str(ports["mlflow"]), str(log)]
    else:
        command = _dashboard(settings.page, ports["dashboard"])
    return Entry(
        process=stack_process.start(command, folder=settings.folder, env=env, log=log),
        port=ports[name],
        url=f"http://127.0.0.1:{ports[name]}",
        log=str(log),
        folder=str(settings.folder),
        tracking_uri=tracking_uri,
        gcs_port=ports["gcs"] if name == "ray" else 0,
        ray_temp=str(settings.ray_folder) if name == "ray" else "",
        token_file=str(settings.token_file or "") if name == "ray" else "",
        host=settings.host,
    )


def fault(name: str, entry: Entry) -> str:
    """What is wrong with the part's processes, in words; "" where nothing is.

    Ray's head goes on, and its Jobs API answers, when a SIGTERM has ended the raylet, without which no job runs.
    """
    if not entry.process.alive:
        return "has died since it was started"
    if name == "ray" and not stack_process.has_member(entry.process, "raylet"):
        return "has lost its raylet"
    return ""


def answers(name: str, url: str, timeout_s: float = 1.0) -> bool:
    """True if the part serves requests at `url`."""
    import httpx  # half as long to load as all the rest of a plan

    try:
        # No proxy is asked for the loopback address, whatever the environment says.
        response = httpx.get(url + _HEALTH[name], timeout=timeout_s, trust_env=False)
    except httpx.HTTPError:
        return False
    # 401: a head that asks for its token.
    return response.status_code in (200, 401)


def mlflow_process(home: Path, mark: str) -> stack_process.Process | None:
    """The server that `stack_mlflow`, started under `mark`, has left running; None before it answers."""
    server = running_server(folder_of(home))
    return stack_process.bearing(server.pid, mark) if server else None


def _environment(settings: Settings, tracking_uri: str) -> dict[str, str]:
    """What all parts, and so every job, find in PATH.

    A study's `#!/usr/bin/env python` has to find this environment's Python: hence its bin folder first. `ray job submit
    mine.py` has a shell run `mine.py`, which looks there alone: hence the project's folder, last.
    """
    path = os.pathsep.join([str(stack_ray.BIN), os.environ.get("PATH", os.defpath), str(settings.folder)])
    return child_environment({"PATH": path, "PARIBUS_HOME": str(settings.home), "MLFLOW_TRACKING_URI": tracking_uri})


def _dashboard(page: Path, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "streamlit", "run", str(page)),
        *("--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"),
        *("--browser.gatherUsageStats", "false"),
        # A page of the web whose name is made to point here would be of the same origin, and so read what is shown.
        *("--server.allowedHosts", "127.0.0.1", "--server.allowedHosts", "localhost"),
    ]
