"""Machines in Linux namespaces, each with an address, a name and a disk of its own: a cluster to throw faults at.

One bridge joins them. On it are MLflow's machine (which is this one), the head's, where drivers run too, and nodes
of one trial each. A machine that lost its Ray starts it again after a while, as a supervisor would.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sandbox import BIN, environment, kill, wait_for

from paribus.tracking.mlflow.server import ServerProcess, start_server

_NET, _BRIDGE = "10.88.7", "pbchaos"
_GCS_PORT, _MLFLOW_PORT = 6379, 5000
# A node's own disk; what all share lies on another one. Each may be filled.
DISK_MIB, SHARED_MIB = 24, 96
# A supervisor's pause, and Ray's own limit for a start, which a crowded machine may need more than once.
_RESTART_S, _STARTS_S = 5.0, 90.0
_INSIDE = 'hostname "$1"; shift; exec "$@"'


def do(*words: object, check: bool = True) -> str:
    """Run a command of the system; what it printed."""
    done = subprocess.run([str(word) for word in words], check=check, capture_output=True, text=True)
    return done.stdout


@dataclass
class Machine:
    """One namespace of the network, with what runs in it."""

    cluster: Cluster
    name: str
    number: int
    is_head: bool = False
    wanted: bool = True  # whether a supervisor starts its Ray where that has ended
    ended: float = 0.0
    begun: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def __post_init__(self) -> None:
        space, outer, inner = f"{_BRIDGE}{self.number}", self.link, f"pbi{self.number}"
        do("ip", "netns", "add", space)
        do("ip", "link", "add", outer, "type", "veth", "peer", "name", inner)
        do("ip", "link", "set", inner, "netns", space)
        do("ip", "link", "set", outer, "master", _BRIDGE, "up")
        do("ip", "-n", space, "addr", "add", f"{self.address}/24", "dev", inner)
        do("ip", "-n", space, "link", "set", inner, "up")
        do("ip", "-n", space, "link", "set", "lo", "up")
        self.disk.mkdir()
        do("mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "none", self.disk)

    @property
    def link(self) -> str:
        """Its end at the bridge."""
        return f"pbo{self.number}"

    @property
    def address(self) -> str:
        return f"{_NET}.{self.number}"

    @property
    def disk(self) -> Path:
        """Its home: nothing but caches where there is a shared storage."""
        return self.cluster.folder / self.name

    @property
    def notice(self) -> Path:
        """The file by which it learns that it will be taken back."""
        return self.cluster.folder / f"{self.name}-notice"

    @property
    def pids(self) -> list[int]:
        """All that runs there, drivers too."""
        return [int(pid) for pid in do("ip", "netns", "pids", f"{_BRIDGE}{self.number}").split()]

    def processes(self, beginning: str = "") -> list[psutil.Process]:
        """Those whose command line begins so, drivers and what they started left out."""
        found = []
        for pid in self.pids:
            try:
                each = psutil.Process(pid)
                words = " ".join(each.cmdline())
                if "driver" not in each.environ().get("PARIBUS_CHAOS", "") and beginning in words[:200]:
                    found.append(each)
            except psutil.Error:
                continue
        return found

    def workers(self) -> list[psutil.Process]:
        """Processes that train: those have a name by Ray, as its agents have."""
        return [each for each in self.processes("ray::") if "Trainable" in " ".join(each.cmdline())]

    def enter(self, *words: object) -> list[str]:
        """The command line that runs `words` there."""
        inside = ("sh", "-ec", _INSIDE, "sh", self.name, *words)
        return [str(word) for word in ("ip", "netns", "exec", f"{_BRIDGE}{self.number}", "unshare", "--uts", *inside)]

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def serves(self) -> bool:
        return self.lives and "Ray runtime started" in self._said.read_text(errors="replace")

    @property
    def _said(self) -> Path:
        return self.cluster.logs / f"{self.name}-{self.starts}.log"

    def start(self) -> None:
        """Start its Ray, without waiting for it."""
        self.crash()
        self.starts += 1
        self.begun = time.monotonic()
        # Ray's sockets lie below it: a short path, and a new one for each start.
        command = [BIN / "ray", "start", "--block", "--disable-usage-stats", f"--node-ip-address={self.address}"]
        command += [f"--temp-dir={self.cluster.folder}/{self.name[0]}{self.starts}/r", "--object-store-memory=80000000"]
        head = ["--head", f"--port={_GCS_PORT}", "--include-dashboard=false", "--num-cpus=0"]
        command += head if self.is_head else [f"--address={self.cluster.ray}", "--num-cpus=1"]
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                self.enter(*command),
                cwd=self.cluster.folder,
                env=self.cluster.shell(self),
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def crash(self) -> None:
        """As a machine is lost: at once, with all that runs on it but drivers."""
        for _ in range(3):
            for each in self.processes():
                kill(each.pid)
        if self.process is not None:
            kill(self.process.pid)
            self.process.wait()

    def leave(self) -> None:
        """It says good-bye, as a node does that is drained."""
        if self.process is not None and self.lives:
            self.process.send_signal(signal.SIGTERM)

    def supervise(self) -> None:
        """What a supervisor does: start what has ended, and what hangs in its start."""
        if not self.wanted:
            return
        now = time.monotonic()
        if self.lives:
            self.ended = 0.0
            if not self.serves and now - self.begun > _STARTS_S:
                self.crash()
        elif not self.ended:
            self.ended = now
        elif now - self.ended > _RESTART_S:
            self.ended = 0.0
            self.start()


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
        return f"{_NET}.1:{_GCS_PORT}"

    @property
    def uri(self) -> str:
        return f"http://{_NET}.254:{_MLFLOW_PORT}"

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
            self.server = start_server(self.work / "mlflow", _MLFLOW_PORT, f"{_NET}.254")

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
        do("mount", "-t", "tmpfs", "-o", f"size={SHARED_MIB}m", "none", made.shared)
        do("ip", "link", "add", _BRIDGE, "type", "bridge")
        do("ip", "addr", "add", f"{_NET}.254/24", "dev", _BRIDGE)
        do("ip", "link", "set", _BRIDGE, "up")
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
    for space in (line.split()[0] for line in do("ip", "netns", "list").splitlines() if line.startswith(_BRIDGE)):
        for pid in do("ip", "netns", "pids", space).split():
            kill(int(pid))
        do("ip", "netns", "del", space)
    do("ip", "link", "del", _BRIDGE, check=False)
    for number in range(1, 10):
        do("ip", "link", "del", f"pbo{number}", check=False)


def is_possible() -> str:
    """Why no such cluster can be had here; "" where it can."""
    if os.geteuid() != 0:
        return "namespaces of the network are made by root alone"
    missing = [name for name in ("ip", "tc", "unshare", "mount") if not do("which", name, check=False).strip()]
    return f"this machine lacks {', '.join(missing)} (Debian: iproute2, util-linux)" if missing else ""
