"""Telling whether a process is still the one that it was, and whether that can be told from here at all.

A pid alone is reused, means another process in every PID namespace (container), and nothing after a boot. So a
process is known by its pid and by when and where it started: `<boot id>/<PID namespace>/<ticks since boot>` on Linux.
Ticks since boot, for a start time on the wall clock moves when that clock is set.
"""

from __future__ import annotations

import os
import platform
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


@cache
def place() -> str:
    """The boot and the PID namespace in which this process's pids mean something."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        import psutil

        return f"{platform.node()}/{psutil.boot_time():.0f}"


def start_of(pid: int) -> str:
    """When and where the process started, as an opaque string; "" if there is no such process, or only its zombie."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        return f"{place()}/{_ticks(pid) or f'{process.create_time():.2f}'}"
    except (psutil.NoSuchProcess, OverflowError, ValueError):
        return ""


def is_same_process(pid: int, started: str) -> bool:
    """Whether process `pid` runs here and is the one that started at `started`."""
    return is_running(pid, started) is True


def is_running(pid: int, started: str) -> bool | None:
    """Whether the process that started at `started` runs; None where that can't be told from this boot or namespace."""
    if "/" not in started:
        # What the last release wrote: a time on the wall clock, which names no place. It can prove life, not death.
        return True if started and _wall_start(pid) == started else None
    if started.rsplit("/", 1)[0] != place():
        return None
    return start_of(pid) == started


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


def _ticks(pid: int) -> str:
    try:
        # The name in brackets may hold blanks and brackets; of what follows it, the 20th field is the start.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _wall_start(pid: int) -> str:
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except (psutil.NoSuchProcess, OverflowError, ValueError):
        return ""
