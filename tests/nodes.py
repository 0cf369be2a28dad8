"""Nodes of Ray beside a stack's, each a machine of its own as far as names and folders go (Linux namespaces)."""

from __future__ import annotations

import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from sandbox import BIN, Sandbox, Stack, environment, kill, wait_for

# Ray itself gives a node 30 s to start, which a crowded machine may take.
_TRIES = 5
# More than the stack's own node has, so that trials come to the nodes that join.
CPUS, NUM_CPUS = 2.5, 3
# Its name; the driver's folder, of which it has nothing; its data, where the driver has others.
_INSIDE = 'hostname "$1"; mount -t tmpfs none "$2"; mount --bind "$3" "$4"; shift 4; exec "$@"'


@dataclass
class Machine:
    """A node with a name, a home and data of its own, at the paths where others have theirs."""

    lab: Lab
    name: str
    process: subprocess.Popen[bytes] | None = None
    _tries: int = 0

    @property
    def home(self) -> Path:
        return self.lab.folder / self.name / "home"

    @property
    def data(self) -> Path:
        """What it has at the lab's `data`."""
        return self.lab.folder / self.name / "data"

    @property
    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def join(self) -> None:
        shutil.copytree(self.lab.data, self.data, dirs_exist_ok=True)
        for _ in range(_TRIES):
            told = self._try()
            wait_for(lambda: "Ray runtime started" in told.read_text() or not self.lives, "a node of Ray")  # noqa: B023
            if self.lives:
                return
        raise AssertionError(f"no node in {_TRIES} tries: {told.read_text()[-500:]}")

    def _try(self) -> Path:
        self._tries += 1
        lab = self.lab
        folder = lab.stack.checkout / f"{self.name}{self._tries}"  # Ray's sockets lie below it: a short path
        folder.mkdir()
        env = environment(lab.stack.checkout, self.home, RAY_AUTH_MODE="token")
        command = (
            *("unshare", "--mount", "--uts", "sh", "-ec", _INSIDE, "sh", self.name, lab.driver, self.data, lab.data),
            *(BIN / "ray", "start", "--block", f"--address={lab.stack.ray}", "--disable-usage-stats"),
            *(f"--num-cpus={NUM_CPUS}", "--object-store-memory=100000000", f"--temp-dir={folder}/r"),
        )
        with (folder / "said.txt").open("wb") as said:
            self.process = subprocess.Popen(
                list(map(str, command)), cwd=folder, env=env, stdout=said, stderr=said, start_new_session=True
            )
        return folder / "said.txt"

    def crash(self) -> None:
        """As a machine is lost: at once, with all that runs on it."""
        assert self.process is not None
        for member in (*psutil.Process(self.process.pid).children(recursive=True), psutil.Process(self.process.pid)):
            kill(member.pid)
        self.process.wait()

    def leave(self) -> None:
        """It says good-bye, so that no later test's trial is sent there."""
        if self.process is not None and self.lives:
            family = psutil.Process(self.process.pid).children(recursive=True)
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
            for member in family:
                kill(member.pid)
        for number in range(1, self._tries + 1):
            shutil.rmtree(self.lab.stack.checkout / f"{self.name}{number}", ignore_errors=True)


@dataclass
class Lab:
    """The stack's node, where the driver is, and machines that have neither its folder nor each other's."""

    stack: Stack
    folder: Path
    sandbox: Sandbox = field(init=False)
    machines: dict[str, Machine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shell = {**self.stack.joined, "PARIBUS_CHECKPOINT_S": "0.2", "PYTHONUNBUFFERED": "1"}
        env = environment(self.stack.checkout, self.driver / "home", **shell)
        self.sandbox = Sandbox(folder=self.driver / "work", env=env)
        for folder in (self.shared, self.data, self.sandbox.folder):
            folder.mkdir(parents=True)

    @property
    def driver(self) -> Path:
        """What no machine has."""
        return self.folder / "driver"

    @property
    def shared(self) -> Path:
        """A folder that all of them have."""
        return self.folder / "shared"

    @property
    def data(self) -> Path:
        """The driver's data; a machine has a copy of its own at the same path, made when it joins."""
        return self.folder / "data"

    def machine(self, name: str) -> Machine:
        """The one of this name, that joins unless it is there."""
        made = self.machines.setdefault(name, Machine(self, name))
        if not made.lives:
            made.join()
        return made

    def end(self) -> None:
        self.sandbox.end()
        for each in self.machines.values():
            each.leave()
