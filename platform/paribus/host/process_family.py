"""Processes that outlive the command that started them, and how to find and end exactly those.

A process is known again by its id *and* its start time, so that a recycled id is never signalled. What it started in
turn is known by a mark in its environment: Ray puts workers and job drivers in sessions of their own, and the mark
follows them where a process group would not.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from paribus.host.processes import is_same_process, start_of

MARK = "PARIBUS_STACK"
# What was started between looking and killing needs a second look; what survives five hangs in the kernel.
_KILLS = 5


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process that we started: its id, when and where it started (`processes.start_of`), the mark of its children."""

    pid: int
    started: str
    mark: str

    @property
    def alive(self) -> bool:
        return _same(self) is not None


def start(command: Sequence[str], *, folder: Path, env: Mapping[str, str], log: Path) -> Process:
    """Start `command` in a session of its own, writing to `log`; it goes on when this process ends."""
    mark = secrets.token_hex(8)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    with log.open("ab") as out:
        child = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**env, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[mark] = child
    return Process(pid=child.pid, started=start_of(child.pid), mark=mark)


@dataclass(frozen=True, kw_only=True)
class Held:
    """A process that is to end when its input does, so that it never outlives the one that started it."""

    process: Process
    child: subprocess.Popen[bytes]

    @property
    def output(self) -> IO[bytes]:
        assert self.child.stdout is not None
        return self.child.stdout

    def let_go(self, timeout_s: float) -> None:
        """End its input, and wait for it."""
        assert self.child.stdin is not None
        self.child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(timeout_s)
        self.output.close()


def start_held(command: Sequence[str], *, env: Mapping[str, str], log: Path, pass_fds: tuple[int, ...] = ()) -> Held:
    """Start `command` in a session of its own, with pipes to its input and from its output, errors going to `log`."""
    mark = secrets.token_hex(8)
    with log.open("ab") as out:
        child = subprocess.Popen(
            list(command),
            env={**env, MARK: mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=out,
            pass_fds=pass_fds,
            start_new_session=True,
        )
    _children[mark] = child
    process = Process(pid=child.pid, started=start_of(child.pid), mark=mark)
    return Held(process=process, child=child)


def bearing(pid: int, mark: str) -> Process | None:
    """Process `pid`, if it lives and was started under `mark`."""
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
    return Process(pid=pid, started=start_of(pid), mark=mark) if _mark(process) == mark else None


def exit_code(process: Process) -> int | None:
    """How a process that this very command started has ended; None while it runs, or if another started it."""
    child = _children.get(process.mark)
    return child.poll() if child else None


def members(process: Process) -> list[psutil.Process]:
    """The process and everything that descends from it, in whatever session, as far as it is alive."""
    leader = _same(process)
    found = {leader.pid: leader, **_descendants(leader, process.mark)} if leader else {}
    # The system does not give an id away again while a session bears it: with the leader gone, the rest is still ours.
    session = process.pid if leader or not psutil.pid_exists(process.pid) else None
    for other in psutil.process_iter():
        if other.pid not in found and (_session(other.pid) == session or _mark(other) == process.mark):
            found[other.pid] = other
    return [member for member in found.values() if _breathes(member)]


def has_member(process: Process, name: str) -> bool:
    """Whether a descendant of that name lives."""
    leader = _same(process)
    return leader is not None and any(_is_called(child, name) for child in _children_of(leader) if _breathes(child))


def guests(process: Process) -> list[psutil.Process]:
    """The members in other sessions than the process's own: for Ray, the job drivers and what they started."""
    return [member for member in members(process) if _session(member.pid) not in (process.pid, 0)]


def end(process: Process, *, guest_grace_s: float = 20.0, grace_s: float = 5.0) -> int:
    """End the process and all its members, asking first (TERM) and then not (KILL). Returns how many there were.

    Guests are asked before the rest, so that a running study can still write its ledger.
    """
    family = set(members(process))
    count = len(family)
    drivers = [guest for guest in guests(process) if _leads_a_session(guest)]
    _ask([child for driver in drivers for child in (driver, *_children_of(driver))])
    _wait_for(drivers, guest_grace_s)
    _ask([member for member in members(process) if _session(member.pid) == process.pid])
    _wait_for(members(process), grace_s)
    for _ in range(_KILLS):
        # What has lost its parent on the way, its session and (Ray renames its agents) its mark was seen before.
        family.update(members(process))
        remaining = [member for member in family if _breathes(member)]
        if not remaining:
            break
        for member in remaining:
            _signal(member, signal.SIGKILL)
        _wait_for(remaining, grace_s)
    _reap(process.mark)
    return count


# Our own children stay zombies until they are waited for; a command that ends right after `start` never gets there.
_children: dict[str, subprocess.Popen[bytes]] = {}


def _reap(mark: str) -> None:
    if child := _children.pop(mark, None):
        # A zombie already, but its last threads may still be on their way out.
        child.wait(timeout=5)


def _same(process: Process) -> psutil.Process | None:
    try:
        found = psutil.Process(process.pid)
    except psutil.NoSuchProcess:
        return None
    return found if is_same_process(process.pid, process.started) and _breathes(found) else None


def _breathes(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait_for(processes: Sequence[psutil.Process], timeout_s: float) -> None:
    """Until all have ended. psutil's own wait sits out the time on zombies, which some containers never collect."""
    deadline = time.monotonic() + timeout_s
    while any(_breathes(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)


def _mark(process: psutil.Process) -> str | None:
    try:
        mark: str | None = process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None
    return mark


def _descendants(leader: psutil.Process, mark: str) -> dict[int, psutil.Process]:
    """A descendant with another mark is another stack's, started from a job of this one."""
    return {child.pid: child for child in _children_of(leader) if _mark(child) in (mark, None)}


def _children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _is_called(process: psutil.Process, name: str) -> bool:
    try:
        return bool(process.name() == name)
    except psutil.NoSuchProcess:
        return False


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def _leads_a_session(process: psutil.Process) -> bool:
    """True for a job driver. Ray's own watcher also leads one, and killing it is harmless: all of them end here."""
    return bool(_session(process.pid) == process.pid)


def _ask(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        _signal(process, signal.SIGTERM)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
