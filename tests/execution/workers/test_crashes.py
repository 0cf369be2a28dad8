"""The log by which a trial that kills its own process is known: real processes die of real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from paribus.execution.workers.crashes import CrashLog, KillsItsProcessError, clear, crashes
from paribus.execution.workers.failures import classify, reason

DIES = """
import ctypes, os, signal, sys
from pathlib import Path
from paribus.execution.workers.crashes import CrashLog
log = CrashLog(Path(sys.argv[1]), int(sys.argv[2]))
log.reached(int(sys.argv[3]))
if sys.argv[5] == "closed":
    log.close()
if sys.argv[4] == "SIGSEGV":
    ctypes.string_at(0)
if sys.argv[4] == "SIGABRT":
    os.abort()
os.kill(os.getpid(), signal.Signals[sys.argv[4]])
"""


def die(folder: Path, attempt: int, steps: int, name: str, then: str = "") -> None:
    """An attempt in a process of its own, which dies of that signal after so many steps."""
    words = [sys.executable, "-c", DIES, str(folder), str(attempt), str(steps), name, then]
    died = subprocess.run(words, capture_output=True, check=False)
    assert died.returncode == -signal.Signals[name], died.stderr


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"])
def test_a_second_crash_at_the_same_place_ends_the_trial_with_its_signal_and_log(tmp_path: Path, name: str) -> None:
    die(tmp_path, 1, 4, name)
    CrashLog(tmp_path, 2).check(newest_step=0)
    die(tmp_path, 2, 5, name)
    with pytest.raises(KillsItsProcessError) as caught:
        CrashLog(tmp_path, 3).check(newest_step=0)
    log = tmp_path / "crash-2.txt"
    expected = f"this trial kills its process ({name}) after step 4 and 5, twice; its log: {log}"
    assert reason(classify(caught.value), caught.value) == expected
    assert classify(caught.value) == "code"
    assert 'File "<string>", line' in log.read_text()


def test_two_signals_of_one_fault_are_both_named(tmp_path: Path) -> None:
    die(tmp_path, 1, 0, "SIGSEGV")
    die(tmp_path, 2, 0, "SIGABRT")
    with pytest.raises(KillsItsProcessError, match=r"\(SIGSEGV and SIGABRT\) before its first step was done, twice"):
        CrashLog(tmp_path, 3).check(newest_step=0)


def test_a_crash_that_a_checkpoint_has_passed_counts_no_more(tmp_path: Path) -> None:
    die(tmp_path, 1, 4, "SIGSEGV")
    die(tmp_path, 2, 9, "SIGSEGV")
    CrashLog(tmp_path, 3).check(newest_step=6)
    die(tmp_path, 3, 9, "SIGSEGV")
    with pytest.raises(KillsItsProcessError, match=r"after step 9, twice"):
        CrashLog(tmp_path, 4).check(newest_step=6)


def test_a_process_that_is_killed_from_outside_has_not_crashed(tmp_path: Path) -> None:
    for attempt in (1, 2, 3):
        die(tmp_path, attempt, 4, "SIGKILL")
    die(tmp_path, 4, 4, "SIGTERM")
    assert CrashLog(tmp_path, 5).before == []


def test_a_kill_between_two_crashes_makes_them_no_fewer(tmp_path: Path) -> None:
    for attempt, name in enumerate(("SIGSEGV", "SIGKILL", "SIGSEGV"), start=1):
        die(tmp_path, attempt, 4, name)
    with pytest.raises(KillsItsProcessError):
        CrashLog(tmp_path, 4).check(newest_step=0)


def test_a_crash_after_the_trials_end_is_not_the_trials(tmp_path: Path) -> None:
    die(tmp_path, 1, 4, "SIGSEGV", "closed")
    assert list(tmp_path.iterdir()) == []


def test_a_trial_that_is_tried_again_after_that_begins_anew_and_its_end_clears_the_logs(tmp_path: Path) -> None:
    die(tmp_path, 1, 0, "SIGSEGV")
    die(tmp_path, 2, 0, "SIGSEGV")
    log = CrashLog(tmp_path, 3)
    with pytest.raises(KillsItsProcessError):
        log.check(newest_step=0)
    log.close()
    again = CrashLog(tmp_path, 4)
    again.check(newest_step=0)
    again.close()
    assert {path.name for path in tmp_path.iterdir()} == {"crash-1.txt", "crash-2.txt"}
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"Fatal Python error: Aborted\n",
        b"steps done: -4\n",
        b"steps done: " + b"9" * 99 + b"\n",
        b"steps done: 000000000004\nFatal Python error: none of ours\n",
        b"[" * 99999,
    ],
)
def test_a_damaged_log_tells_of_no_crash(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "attempt-1.log").write_bytes(content)
    assert crashes(tmp_path) == []


def test_what_is_no_log_hangs_nobody_and_costs_the_log_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "attempt-1.log")
    (tmp_path / "attempt-2.log").mkdir()
    for folder, attempt in ((tmp_path, 2), (tmp_path, 3), (tmp_path / "missing", 1)):
        log = CrashLog(folder, attempt)
        log.reached(7)
        log.check(0)
        log.close()
    clear(tmp_path)


def test_a_rank_that_dies_of_a_signal_of_its_own_is_a_crash_of_the_trial(tmp_path: Path) -> None:
    for attempt in (1, 2):
        log = CrashLog(tmp_path, attempt)
        log.reached(3)
        log.killed("SIGKILL" if attempt == 2 else "SIGSEGV", "rank 1 of 2")
        log.close()
    assert [(crash.attempt, crash.signal, crash.steps) for crash in crashes(tmp_path)] == [(1, "SIGSEGV", 3)]
