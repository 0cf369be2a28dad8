"""Telling whether a process is still the one that it was: a pid alone is reused."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def start_of(pid: int) -> str:
    """When the process started, as an opaque string; "" if there is no such process, or only its zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        return f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return ""


def is_same_process(pid: int, started: str) -> bool:
    """Whether process `pid` runs and is the one that started at `started`."""
    return bool(started) and start_of(pid) == started


def family_of(pid: int) -> list[tuple[int, str]]:
    """The process and all its descendants, each with when it started; [] if there is no such process."""
    import psutil

    try:
        process = psutil.Process(pid)
        return [(member.pid, start_of(member.pid)) for member in (process, *process.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold SIGINT, SIGTERM and SIGHUP back to the end of the block.

    For the moment between the start of a process and the note of it: what is started there is never left unknown.
    Python runs handlers in the main thread alone; elsewhere there is nothing to hold back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    ours = [number for number, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in ours:
        signal.signal(number, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
        if held:
            signal.raise_signal(held[0])
