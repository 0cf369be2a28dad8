"""A machine in a Linux namespace, with an address, a name and a disk of its own, and what a supervisor does there."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from sandbox import BIN, kill

if TYPE_CHECKING:
    from cluster import Cluster

NET, BRIDGE, GCS_PORT = "10.88.7", "pbchaos", 6379
_DISK_MIB = 24
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
        space, outer, inner = f"{BRIDGE}{self.number}", self.link, f"pbi{self.number}"
        do("ip", "netns", "add", space)
        do("ip", "link", "add", outer, "type", "veth", "peer", "name", inner)
        do("ip", "link", "set", inner, "netns", space)
        do("ip", "link", "set", outer, "master", BRIDGE, "up")
        do("ip", "-n", space, "addr", "add", f"{self.address}/24", "dev", inner)
        do("ip", "-n", space, "link", "set", inner, "up")
        do("ip", "-n", space, "link", "set", "lo", "up")
        self.disk.mkdir()
        do("mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "none", self.disk)

    @property
    def link(self) -> str:
        """Its end at the bridge."""
        return f"pbo{self.number}"

    @property
    def address(self) -> str:
        return f"{NET}.{self.number}"

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
        return [int(pid) for pid in do("ip", "netns", "pids", f"{BRIDGE}{self.number}").split()]

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
        return [str(word) for word in ("ip", "netns", "exec", f"{BRIDGE}{self.number}", "unshare", "--uts", *inside)]

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
        head = ["--head", f"--port={GCS_PORT}", "--include-dashboard=false", "--num-cpus=0"]
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
