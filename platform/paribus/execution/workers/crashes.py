"""What a trial's process leaves when a signal of its own doing kills it, and when that has happened often enough.

Ray tells that a worker died and never of what, so each attempt keeps a log in the trial's folder: how many steps are
done, and, by Python's faulthandler, the signal and the stack. The next attempt reads it before it trains.

A process that is killed from outside (SIGKILL, a lost node) leaves no signal there, and its trial keeps its retries.
"""

from __future__ import annotations

import faulthandler
import os
import re
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paribus.study.words import KILLS

# A first crash may be the machine's fault; a second one at the same place is the trial's.
MOST_CRASHES = 2
# As faulthandler names the signals that it catches.
_SIGNALS = {
    "Segmentation fault": "SIGSEGV",
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Floating point exception": "SIGFPE",
    "Illegal instruction": "SIGILL",
}
_STEPS = "steps done: {:012d}\n"
_FATAL = re.compile(r"^(?:Fatal Python error: (?P<words>[A-Za-z ]+)|killed by (?P<name>SIG[A-Z]+))", re.MULTILINE)
_DONE = re.compile(r"steps done: (\d{12})\n")
_LOG = re.compile(r"attempt-(\d{1,7})\.log")
# Enough for the stacks of a hundred threads; a damaged file may be of any length.
_MOST_BYTES = 1 << 20


class KillsItsProcessError(RuntimeError):
    """A trial whose process was killed at the same place by signals of its own doing, as often as it may be."""


@dataclass(frozen=True)
class Crash:
    """An attempt that a signal of its own process ended, after `steps` steps of the trial."""

    attempt: int
    signal: str
    steps: int
    log: Path

    def text(self) -> bytes:
        """What its log says."""
        with suppress(OSError), self.log.open("rb") as file:
            return file.read(_MOST_BYTES)
        return b""

    def __str__(self) -> str:
        return f"attempt {self.attempt} killed its process ({self.signal}) {_after([self.steps])}"


class CrashLog:
    """The log of one attempt while it runs; where the disk does not take it, the attempt runs without one."""

    def __init__(self, folder: Path, attempt: int) -> None:
        """Begin it, and remove those of earlier attempts that did not crash."""
        self._path = folder / f"attempt-{attempt}.log"
        self.before = crashes(folder)
        self._descriptor = -1
        crashed = {crash.log for crash in self.before}
        with suppress(OSError):
            for old in _logs(folder):
                if old not in crashed:
                    old.unlink()
            self._descriptor = _opened(self._path)
            os.write(self._descriptor, _STEPS.format(0).encode())
            # Ray's library hangs its own handler over Python's: only what is enabled anew comes first.
            faulthandler.disable()
            faulthandler.enable(self._descriptor)

    def reached(self, step: int) -> None:
        """`step` steps are done: a microsecond, and no wait for the disk."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.pwrite(self._descriptor, _STEPS.format(step).encode(), 0)

    def killed(self, signal: str, text: str) -> None:
        """Another process of the trial, a rank, died of a `signal`; `text` says which, with its stack."""
        if signal in _SIGNALS.values() and self._descriptor >= 0:
            with suppress(OSError):
                os.write(self._descriptor, f"killed by {signal}: {text}\n".encode())

    def check(self, newest_step: int) -> None:
        """Raise KillsItsProcessError where `MOST_CRASHES` lie beyond the newest checkpoint, at `newest_step`.

        Their logs are kept under other names, so that a trial that is tried again after that begins anew.
        """
        found = [crash for crash in self.before if crash.steps >= newest_step]
        if len(found) < MOST_CRASHES:
            return
        kept = found[-1].log
        for crash in found:
            with suppress(OSError):
                kept = crash.log.replace(crash.log.with_name(f"crash-{crash.attempt}.txt"))
        raise KillsItsProcessError(explanation(found, kept))

    def close(self) -> None:
        """End it with the attempt: a later crash of the process is not the trial's. Empty ones are removed."""
        if self._descriptor < 0:
            return
        faulthandler.disable()  # or the next crash would be written to whatever has this descriptor then
        if sys.stderr is not None:
            with suppress(OSError, ValueError):  # no file stands behind it
                faulthandler.enable(sys.stderr, all_threads=False)
        os.close(self._descriptor)
        self._descriptor = -1
        if _crash(self._path) is None:
            self._path.unlink(missing_ok=True)


def explanation(found: Sequence[Crash], log: Path) -> str:
    """`this trial kills its process (SIGSEGV) after step 4, twice; its log: PATH`."""
    signals = " and ".join(dict.fromkeys(crash.signal for crash in found))
    times = "twice" if len(found) == MOST_CRASHES else f"{len(found)} times"
    return f"{KILLS} ({signals}) {_after([crash.steps for crash in found])}, {times}; its log: {log}"


def crashes(folder: Path) -> list[Crash]:
    """The crashes that the logs in `folder` tell of, oldest first; damaged logs tell of none."""
    found = (_crash(path) for path in _logs(folder))
    return sorted((crash for crash in found if crash is not None), key=lambda crash: crash.attempt)


def clear(folder: Path) -> None:
    """Remove all logs of a trial that has come to its end."""
    for path in [*_logs(folder), *folder.glob("crash-*.txt")]:
        with suppress(OSError):
            path.unlink()


def _after(steps: Sequence[int]) -> str:
    if not any(steps):
        return "before its first step was done"
    return f"after step {' and '.join(map(str, dict.fromkeys(steps)))}"


def _logs(folder: Path) -> list[Path]:
    # Plain ones alone: reading a pipe would wait for ever.
    return [path for path in folder.glob("attempt-*.log") if _LOG.fullmatch(path.name) and path.is_file()]


def _crash(path: Path) -> Crash | None:
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES).decode(errors="replace")
    except OSError:
        return None
    named, done, fatal = _LOG.fullmatch(path.name), _DONE.match(text), _FATAL.search(text)
    if named is None or done is None or fatal is None:
        return None
    signal = fatal["name"] or _SIGNALS.get(fatal["words"].strip())
    return None if signal is None else Crash(int(named[1]), signal, int(done[1]), path)


def _opened(path: Path) -> int:
    """A new plain file, for this process alone; OSError where something else has its name."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    assert stat.S_ISREG(os.fstat(descriptor).st_mode)
    return descriptor
