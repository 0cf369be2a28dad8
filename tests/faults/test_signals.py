"""SIGTERM, SIGINT or SIGHUP at any moment, to a command or to its whole group as schedulers send it, or a kill: the
command ends within ten seconds and says how to go on, nothing that it started lives on, and the same command completes
the study."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from sandbox import HANGS_S, PORTS, Sandbox, at_home, environment, free_ports, listening, wait_for, words_of

from paribus.local import record as stack_record

pytestmark = pytest.mark.cluster
LIMIT_S = 10.0
LOGS = "paribus-study-*/ray/session_*/logs"
SHORT = {"budget": "40 steps", "resources.cpus": 1.0}
LASTING = ("--set", "budget=4000 steps")  # so that no crowd on the machine lets it end before its signal comes
# Blocked in C, with SIGTERM's handler never reached; one child in the session, one in its own with a last resort.
HANGS = """
import ctypes, subprocess, sys
from paribus.host import interruption
interruption.LIMIT_S = 1.0
child = subprocess.Popen(["sleep", "300"])
apart = subprocess.Popen(["sleep", "300"], start_new_session=True)
lock = ctypes.create_string_buffer(64)  # a mutex that is locked twice waits for ever, whatever signal comes
lock_it = ctypes.CDLL(None).pthread_mutex_lock
lock_it(lock)
with interruption.stoppable("hangs"), interruption.last_resort(apart.kill):
    print(child.pid, apart.pid, flush=True)
    lock_it(lock)
"""
SLEEPS = """
import sys, time
from paribus.host.interruption import stoppable
with stoppable("sleeps") as stop:
    try:
        print("ready", flush=True)
        time.sleep(1.0)
        print("still here", flush=True)
        time.sleep(300)
    except KeyboardInterrupt:
        print("closed in order", file=sys.stderr)
sys.exit(stop.code)
"""


def descendants(pid: int) -> list[psutil.Process]:
    """What the command has started by now, in whatever session."""
    return psutil.Process(pid).children(recursive=True)


def breathes(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def starters(pid: int) -> list[psutil.Process]:
    return [each for each in descendants(pid) if "paribus.execution.own_ray" in words_of(each)]


def stopped(command: subprocess.Popen[str], number: signal.Signals, *, group: bool) -> tuple[str, float]:
    """Send the signal, and hold what must hold of every stop; returns stderr and the seconds until the end."""
    family = descendants(command.pid)
    begun = time.monotonic()
    (os.killpg if group else os.kill)(command.pid, number)
    out, err = command.communicate(timeout=90)
    took = time.monotonic() - begun
    assert command.returncode == 128 + number, out + err
    assert "Traceback" not in out + err
    assert "the same command goes on from here" in err.strip().splitlines()[-1], err
    assert [each for each in family if breathes(each)] == []
    return err, took


def test_a_study_alone_is_stopped_at_any_moment_killed_and_then_completed_and_leaves_nothing_running(
    lone_sandbox: Sandbox, checkout: Path
) -> None:
    """Its Ray dies with it. The ledger's server outlives a kill, serves the next command and ends with that one."""
    study = lone_sandbox.study(replicates=1, **SHORT)
    log = lone_sandbox.home / "mlflow" / "mlflow.log"
    before = set(checkout.glob(LOGS))
    times = {}

    starting = lone_sandbox.start(study)
    wait_for(log.exists, "the start of the ledger")
    times["the ledger starts"] = stopped(starting, signal.SIGTERM, group=True)[1]
    assert at_home(lone_sandbox.home) == []

    starting = lone_sandbox.start(study)
    wait_for(lambda: set(checkout.glob(LOGS)) - before, "the start of Ray")
    times["Ray starts"] = stopped(starting, signal.SIGHUP, group=False)[1]
    assert at_home(lone_sandbox.home) == []

    training = lone_sandbox.start(study, *LASTING, PARIBUS_CHECKPOINT_S="0.2")
    wait_for(lambda: lone_sandbox.checkpoints(study), "a checkpoint")
    family = descendants(training.pid)
    assert {host for host, _ in listening(family)} == {"127.0.0.1"}
    assert {each.environ().get("RAY_AUTH_MODE") for each in family if each.name() == "raylet"} == {"token"}
    err, times["training"] = stopped(training, signal.SIGINT, group=True)
    assert "with 2 trials to go" in err
    assert at_home(lone_sandbox.home) == []
    assert max(times.values()) < LIMIT_S, times

    begun = set(lone_sandbox.checkpoints(study))
    killed = lone_sandbox.start(study, *LASTING, PARIBUS_CHECKPOINT_S="0.2")
    wait_for(lambda: set(lone_sandbox.checkpoints(study)) - begun, "another checkpoint")
    killed.kill()
    killed.wait()
    assert killed.returncode == -signal.SIGKILL, "it had ended by itself"
    assert killed.stdout is not None
    # What is there by now, and not to its end: the ledger's server lives on.
    assert "to resume" in os.read(killed.stdout.fileno(), 1 << 16).decode()
    assert any("mlflow" in line for line in at_home(lone_sandbox.home))

    last = lone_sandbox.start(study)
    # As a time-out on a crowded machine, or the system short of memory, would end it.
    wait_for(lambda: starters(last.pid), "the process that starts Ray")
    starters(last.pid)[0].kill()
    out, err = last.communicate(timeout=HANGS_S)
    assert last.returncode == 0, out + err
    assert "Ray did not start (it ended without a word): trying once more" in err
    assert "[2/2]" in out
    deadline = time.monotonic() + 90
    while (left := at_home(lone_sandbox.home)) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert left == []


def test_an_up_that_is_stopped_in_the_middle_leaves_nothing_that_down_does_not_end(
    checkout: Path, tmp_path: Path
) -> None:
    ports = dict(zip((*PORTS, "PARIBUS_DASHBOARD_PORT"), map(str, free_ports(5)), strict=True))
    sandbox = Sandbox(folder=tmp_path, env=environment(checkout, tmp_path / "home", **ports))
    up = sandbox.start(sys.executable, "-m", "paribus", "up")
    wait_for((sandbox.home / "stack.json").exists, "the first part on record")
    begun = time.monotonic()
    os.killpg(up.pid, signal.SIGTERM)
    out, err = up.communicate(timeout=60)
    assert time.monotonic() - begun < LIMIT_S
    assert up.returncode == 143, out + err
    assert "the same command goes on from here" in err.splitlines()[-1]
    left = [entry.process for entry in stack_record.read(sandbox.home).values()]
    assert any(process.alive for process in left)
    down = sandbox.run(sys.executable, "-m", "paribus", "down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert at_home(sandbox.home) == []


def test_a_command_that_hangs_where_no_handler_runs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """A call in C that never returns: Python runs no handler there."""
    program = tmp_path / "hangs.py"
    program.write_text(HANGS)
    command = subprocess.Popen(
        [sys.executable, str(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert command.stdout is not None
    child, apart = (psutil.Process(int(pid)) for pid in command.stdout.readline().split())
    # After its line it sleeps nowhere but in that call; a signal before it would find Python's handler.
    wait_for(lambda: psutil.Process(command.pid).status() == psutil.STATUS_SLEEPING, "the call that never returns")
    _, err = ended(command, signal.SIGTERM)
    assert command.returncode == 143
    assert err.strip().splitlines()[-1] == "hangs: interrupted; the same command goes on from here"
    assert not breathes(child)
    assert not breathes(apart)


def test_what_is_ignored_stays_ignored_and_sigterm_needs_no_sigint(tmp_path: Path) -> None:
    """`nohup study &` in a script: the shell has SIGINT and SIGHUP ignored."""
    program = tmp_path / "sleeps.py"
    program.write_text(SLEEPS)
    command = subprocess.Popen(
        ["sh", "-c", f"trap '' INT HUP; exec {sys.executable} {program}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    assert command.stdout.readline() == "ready\n"
    for number in (signal.SIGHUP, signal.SIGINT):
        command.send_signal(number)
    assert command.stdout.readline() == "still here\n"
    _, err = ended(command, signal.SIGTERM)
    assert command.returncode == 143
    assert err == "closed in order\n"


def ended(command: subprocess.Popen[str], number: signal.Signals) -> tuple[str, str]:
    begun = time.monotonic()
    command.send_signal(number)
    told = command.communicate(timeout=30)
    assert time.monotonic() - begun < 8
    return told
