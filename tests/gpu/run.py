#!/usr/bin/env python
"""All checks and measurements that need a GPU, within eight minutes, and one Markdown table of what they said.

    tests/gpu/run.py [TABLE.md]

Each part is a process of its own with a limit of its own, and they come one after another, so that nothing shares the
GPU with what is timed. A part that fails or runs out of time is a row that says so, and the others still run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
_ROW = "| "


class Part(NamedTuple):
    """A command whose lines of a table are kept, and the seconds that it may take."""

    name: str
    command: tuple[str, ...]
    limit_s: float


def _python(*words: str) -> tuple[str, ...]:
    return (sys.executable, *words)


_TWINS, _CACHE = "tests/benchmarks/models/bench_twins.py", "tests/benchmarks/data/bench_resident.py"
PARTS = (
    Part("tests", _python("-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests"), 180),
    Part("determinism", _python("tests/gpu/determinism.py"), 120),
    Part("compiled twins", _python(_TWINS, "--gpu", "--rounds", "5", "WRN-28-10"), 120),
    Part("feed on the GPU", _python("-m", "pytest", "-q", "-s", "-m", "gpu", _CACHE), 60),
)


def measured(parts: Sequence[Part]) -> Iterator[str]:
    """The lines of the table, as they become known; a part's own words go to the terminal."""
    yield "| part | what it said | s |"
    yield "|---|---|---|"
    for part in parts:
        print(f"\n{part.name}: at most {part.limit_s:g} s", flush=True)
        start = time.perf_counter()
        said, ending = _run(part)
        sys.stdout.write(said)
        rows = [line for line in said.splitlines() if line.startswith(_ROW)]
        yield f"| {part.name} | {ending or _last(said)} | {time.perf_counter() - start:.0f} |"
        yield from rows


def _run(part: Part) -> tuple[str, str]:
    """What it printed, and how it ended where that was not well."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, ["platform", os.environ.get("PYTHONPATH", "")]))}
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(part.command, cwd=REPOSITORY, env=env, start_new_session=True, **pipe) as process:  # type: ignore[call-overload]
        try:
            said, _ = process.communicate(timeout=part.limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # what it started too: it would go on beside the next part
            said, _ = process.communicate()
            return said, f"**not done after {part.limit_s:g} s**"
    return said, "" if process.returncode == 0 else f"**failed ({process.returncode})**: {_last(said)}"


def _last(said: str) -> str:
    """The last line of words; rows of a table are shown as they are."""
    words = [line.strip("= ") for line in said.splitlines() if line.strip() and not line.startswith(_ROW)]
    return words[-1] if words else "done"


def main() -> int:
    if not torch.cuda.is_available():
        print(f"torch {torch.__version__} sees no GPU here: run this on a machine that has one.", file=sys.stderr)
        return 2
    table = "".join(f"{line}\n" for line in measured(PARTS))
    print(f"\n{table}")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(table)
    return int("**" in table)


if __name__ == "__main__":
    sys.exit(main())
