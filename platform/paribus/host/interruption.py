"""How a command is stopped: by SIGINT (Ctrl-C), SIGTERM (schedulers, `ray job stop`) or SIGHUP (a lost terminal).

The first of them raises KeyboardInterrupt in the main thread, or lets Ray Tune end in order while it runs; what was
opened is then closed on the way out. Further ones are ignored: schedulers send one to the process and one to its group.
Whatever holds the main thread up (a call in C, a server that does not answer), after LIMIT_S the command ends all the
same: a thread of its own ends what was started and leaves.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LIMIT_S = 7.0
GO_ON = "interrupted; the same command goes on from here"

# What SIGUSR1 did before Ray Tune, which runs now, took it.
_before_tune: list[Any] = []
_asked = threading.Event()
_last_resorts: list[Callable[[], object]] = []


class Stop:
    """What is known of the signal that ended a command."""

    def __init__(self, program: str) -> None:
        self.program = program
        self.number = 0
        self.over = threading.Event()
        self._pid = os.getpid()

    @property
    def code(self) -> int:
        """The exit code, as shells have it: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
        return 128 + (self.number or signal.SIGINT)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The handler of all three signals."""
        if os.getpid() != self._pid:  # a forked child, whose parent ends it
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if self.number:
            return
        self.number = number
        _asked.set()
        if _before_tune and signal.getsignal(signal.SIGUSR1) is not _before_tune[-1]:
            signal.raise_signal(signal.SIGUSR1)  # Tune's way to be asked for an orderly end
        else:
            raise KeyboardInterrupt

    def watch(self, pipe: int) -> None:
        """Read the numbers of signals as they come, and end the process if the main thread does not."""
        while arrived := os.read(pipe, 1):
            if arrived[0] in SIGNALS:
                if not self.over.wait(LIMIT_S):
                    self._leave(arrived[0])
                return

    def _leave(self, number: int) -> None:
        leave(128 + (self.number or number), f"\n{self.program}: {GO_ON}\n")


@contextmanager
def stoppable(program: str) -> Iterator[Stop]:
    """Stop in order on any of the three signals; those that are ignored (nohup, a background job) stay so.

    Outside the main thread Python has no handlers, and nothing is changed.
    """
    stop = Stop(program)
    _asked.clear()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # At interpreter level a handler waits until a call in C returns; this descriptor is written to at once.
    before_fd = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    before = {each: signal.getsignal(each) for each in SIGNALS}
    for each in SIGNALS:
        if before[each] is not signal.SIG_IGN:
            signal.signal(each, stop.handle)
    watching = threading.Thread(target=stop.watch, args=(reading,), name="paribus-stop", daemon=True)
    watching.start()
    try:
        yield stop
    finally:
        stop.over.set()
        for each in SIGNALS:
            signal.signal(each, before[each] or signal.SIG_DFL)
        signal.set_wakeup_fd(before_fd)
        os.close(writing)
        watching.join()
        os.close(reading)


def leave(code: int, words: str = "") -> None:
    """End the process now, whatever its main thread waits for, and what it started before that."""
    for action in reversed(_last_resorts):
        with contextlib.suppress(Exception):
            action()
    _end_children()
    with contextlib.suppress(OSError):
        os.write(2, words.encode())
    os._exit(code)


def end_is_asked() -> bool:
    """Whether a signal has asked the command to end, in whatever way it was told."""
    return _asked.is_set()


@contextmanager
def tune_running() -> Iterator[None]:
    """Ask Ray Tune, which is run in the block, to end in order; SIGUSR1, which it takes and keeps, is given back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGUSR1)
    _before_tune.append(before)
    try:
        yield
    finally:
        _before_tune.pop()
        signal.signal(signal.SIGUSR1, before or signal.SIG_DFL)


@contextmanager
def last_resort(action: Callable[[], object]) -> Iterator[None]:
    """Have `action` end what this command started, should it not come to its end in order."""
    _last_resorts.append(action)
    try:
        yield
    finally:
        _last_resorts.remove(action)


def _end_children() -> None:
    """kill -9 of the descendants in this session; what leads another is meant to outlive the command."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(child.pid) == os.getsid(0):
                child.kill()


# A forked child inherits the descriptor, and its signals are not its parent's.
os.register_at_fork(after_in_child=lambda: _forget_descriptor())


def _forget_descriptor() -> None:
    with contextlib.suppress(ValueError):
        signal.set_wakeup_fd(-1)
