"""Machines on one bridge: a cluster to throw faults at.

On it are MLflow's machine (which is this one), the head's, where drivers run too, and nodes of one trial each.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from machine import BRIDGE, GCS_PORT, NET, Machine, do
from sandbox import environment, kill, wait_for

from paribus.tracking.mlflow.server import ServerProcess, start_server

_MLFLOW_PORT = 5000
# What all share, which may be filled as each one's own disk.
_SHARED_MIB = 96


@dataclass
class Cluster:
    """All machines, and where their files lie."""

    folder: Path
    work: Path
    logs: Path
    server: ServerProcess | None = None
    machines: dict[str, Machine] = field(default_factory=dict)

    @property
    def ray(self) -> str:
        return f"{NET}.1:{GCS_PORT}"

    @property
    def uri(self) -> str:
        return f"http://{NET}.254:{_MLFLOW_PORT}"

    @property
    def shared(self) -> Path:
        """What every machine has."""
        return self.folder / "shared"

    @property
    def head(self) -> Machine:
        return self.machines["head"]

    @property
    def nodes(self) -> list[Machine]:
        """Those that train."""
        return [each for each in self.machines.values() if not each.is_head]

    def shell(self, machine: Machine, **more: str) -> dict[str, str]:
        """What whoever works at this machine has exported."""
        names = {
            "PYTHONPATH": str(Path(__file__).resolve().parents[3] / "platform"),
            "PARIBUS_STORAGE": str(self.shared),
            "PARIBUS_CHECKPOINT_S": "2",
            "PARIBUS_PREEMPTION_NOTICE": str(machine.notice),
            "RAY_ADDRESS": self.ray,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.folder / "token"),
            "MLFLOW_TRACKING_URI": self.uri,
            "RAY_enable_metrics_collection": "0",
            "OMP_WAIT_POLICY": "PASSIVE",
            "PYTHONUNBUFFERED": "1",
        }
        shell = environment(self.folder, machine.disk, **names | more)
        return {name: value for name, value in shell.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def start_ledger(self) -> None:
        """Start MLflow where it is not running; it answers when this returns."""
        if self.server is None or not self.server.alive:
            self.server = start_server(self.work / "mlflow", _MLFLOW_PORT, f"{NET}.254")

    def add(self, name: str, *, is_head: bool = False) -> Machine:
        """A machine more, which starts."""
        number = 1 if is_head else 2 + len(self.nodes)
        made = self.machines[name] = Machine(self, name, number, is_head)
        made.start()
        return made

    def wait(self) -> None:
        """Until all that should be there is."""

        def serves() -> bool:
            for each in self.machines.values():
                each.supervise()
            return all(each.serves for each in self.machines.values() if each.wanted)

        wait_for(serves, "a cluster", 600)


@contextmanager
def serve(work: Path) -> Iterator[Cluster]:
    """A cluster without nodes whose ledger lies in `work`; ended, with its networks, in any case."""
    _clear()
    folder = Path(tempfile.mkdtemp(prefix="pc", dir="/tmp"))
    made = Cluster(folder, work, work / "logs" / time.strftime("%m%d-%H%M%S"))
    for each in (made.logs, made.shared):
        each.mkdir(parents=True, exist_ok=True)
    try:
        do("mount", "-t", "tmpfs", "-o", f"size={_SHARED_MIB}m", "none", made.shared)
        do("ip", "link", "add", BRIDGE, "type", "bridge")
        do("ip", "addr", "add", f"{NET}.254/24", "dev", BRIDGE)
        do("ip", "link", "set", BRIDGE, "up")
        token = folder / "token"
        token.touch(0o600)
        token.write_text(secrets.token_hex(32))
        made.start_ledger()
        made.add("head", is_head=True)
        yield made
    finally:
        for machine in made.machines.values():
            for pid in machine.pids:
                kill(pid)
        if made.server is not None:
            made.server.stop()
        for place in (*(each.disk for each in made.machines.values()), made.shared):
            do("umount", "-l", place, check=False)
        _clear()
        do("rm", "-rf", folder)


def _clear() -> None:
    """What an earlier run that was killed has left of networks, and whoever lives in them."""
    for space in (line.split()[0] for line in do("ip", "netns", "list").splitlines() if line.startswith(BRIDGE)):
        for pid in do("ip", "netns", "pids", space).split():
            kill(int(pid))
        do("ip", "netns", "del", space)
    do("ip", "link", "del", BRIDGE, check=False)
    for number in range(1, 10):
        do("ip", "link", "del", f"pbo{number}", check=False)


def is_possible() -> str:
    """Why no such cluster can be had here; "" where it can."""
    if os.geteuid() != 0:
        return "namespaces of the network are made by root alone"
    missing = [name for name in ("ip", "tc", "unshare", "mount") if not do("which", name, check=False).strip()]
    return f"this machine lacks {', '.join(missing)} (Debian: iproute2, util-linux)" if missing else ""
