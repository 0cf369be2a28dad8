"""Nodes of Ray beside the session's, each a machine of its own as far as names and folders go (Linux namespaces)."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sandbox import BIN, Sandbox, Stack, environment, kill, wait_for

# Ray itself gives a node 30 s to start, which a crowded machine may take.
_TRIES = 5
# More than the stack's own node has, so that trials come to the nodes that join.
CPUS, NUM_CPUS = 2.5, 3
_INSIDE = 'hostname "$1"; shift; while [ "$1" != -- ]; do mount -t tmpfs none "$1"; shift; done; shift; exec "$@"'


@dataclass
class Machine:
    """A node with a home and a name of its own, on which the folders `hidden` are other, empty ones."""

    stack: Stack
    home: Path
    name: str
    hidden: Sequence[Path]
    process: subprocess.Popen[bytes] | None = None
    _tries: int = 0

    def join(self) -> None:
        for _ in range(_TRIES):
            told = self._try()
            node = self.process
            assert node is not None
            wait_for(lambda: "Ray runtime started" in told.read_text() or node.poll() is not None, "a node of Ray")  # noqa: B023
            if node.poll() is None:
                return
        raise AssertionError(f"no node in {_TRIES} tries: {told.read_text()[-500:]}")

    def _try(self) -> Path:
        self._tries += 1
        folder = self.stack.checkout / f"{self.name}{self._tries}"  # Ray's sockets lie below it: a short path
        folder.mkdir()
        env = environment(self.stack.checkout, self.home, RAY_AUTH_MODE="disabled")
        command = (
            *("unshare", "--mount", "--uts", "sh", "-ec", _INSIDE, "sh", self.name, *map(str, self.hidden), "--"),
            *(str(BIN / "ray"), "start", "--block", f"--address={self.stack.ray}", "--disable-usage-stats"),
            *(f"--num-cpus={NUM_CPUS}", "--object-store-memory=100000000", f"--temp-dir={folder}/r"),
        )
        with (folder / "said.txt").open("wb") as said:
            self.process = subprocess.Popen(
                command, cwd=folder, env=env, stdout=said, stderr=said, start_new_session=True
            )
        return folder / "said.txt"

    def trains(self, study: Path) -> list[Path]:
        """The checkpoints of a study on this node's own disk."""
        return list((self.home / "checkpoints" / study.stem).glob("*/step-*.pt"))

    def crash(self) -> None:
        """As a machine is lost: at once, with all that runs on it."""
        assert self.process is not None
        for member in (*psutil.Process(self.process.pid).children(recursive=True), psutil.Process(self.process.pid)):
            kill(member.pid)
        self.process.wait()

    def leave(self) -> None:
        """It says good-bye, so that no later test's trial is sent there."""
        if self.process is not None and self.process.poll() is None:
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            for member in family:
                kill(member.pid)
        for number in range(1, self._tries + 1):
            shutil.rmtree(self.stack.checkout / f"{self.name}{number}", ignore_errors=True)


@dataclass
class Lab:
    """The stack's node, where the driver is, and two machines that have neither its folder nor each other's."""

    stack: Stack
    folder: Path
    sandbox: Sandbox = field(init=False)
    machines: list[Machine] = field(default_factory=list)

    def __post_init__(self) -> None:
        own = self.folder / "driver"
        cluster = {"RAY_ADDRESS": self.stack.ray, "MLFLOW_TRACKING_URI": self.stack.uri, "PARIBUS_CHECKPOINT_S": "0.2"}
        self.sandbox = Sandbox(folder=own / "work", env=environment(self.stack.checkout, own / "home", **cluster))
        self.shared.mkdir(parents=True)
        self.sandbox.folder.mkdir(parents=True)

    @property
    def shared(self) -> Path:
        """A folder that all of them have."""
        return self.folder / "shared"

    def machine(self, name: str, *hidden: Path) -> Machine:
        made = Machine(self.stack, self.folder / name, name, (self.folder / "driver", *hidden))
        self.machines.append(made)
        made.join()
        return made

    def end(self) -> None:
        self.sandbox.end()
        for each in self.machines:
            each.leave()
