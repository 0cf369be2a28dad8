"""Telling whether a process is still the one that it was: a pid alone is reused."""

from __future__ import annotations


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
