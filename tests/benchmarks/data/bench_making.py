"""Photographs a second into shards, as they are and made smaller: one process, two, and decoding alone; memory."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import huge_source
import pytest
from interleaved import Row, table
from photographs import lay_out

from paribus.images.decode import decode
from paribus.shards.making.recode import Recoding
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.image_folder import image_folder

NUM, ROUNDS = 2400, 2
SMALL = Recoding(short_side=256, quality=90)
_MIB = 1 << 20


def make(images: Path, folder: Path, workers: int, recoding: Recoding | None) -> None:
    make_shards(image_folder(images), folder, shard_size=300, workers=workers, recoding=recoding)


def cheapest(ways: dict[str, Callable[[Path], None]], folder: Path) -> dict[str, tuple[float, float]]:
    """CPU-seconds of all processes, and seconds, of the cheapest round of each way, in turns."""
    best = dict.fromkeys(ways, (float("inf"), float("inf")))
    for number in range(ROUNDS):
        for name, run in ways.items():
            before = os.times()
            run(folder / f"{name} {number}")
            after = os.times()
            cpu = sum(after[:4]) - sum(before[:4])
            best[name] = min(best[name], (cpu, after.elapsed - before.elapsed))
    return best


@pytest.mark.timeout(900)
def test_making_costs_little_more_than_decoding_and_a_second_process_next_to_nothing(tmp_path: Path) -> None:
    """Processes share nothing, so two of them take half the time of one where two cores are free."""
    images = lay_out(tmp_path / "images", NUM)
    files = sorted(images.rglob("*.jpg"))
    mib = sum(path.stat().st_size for path in files) / _MIB

    def decode_all(folder: Path) -> None:
        for path in files:
            decode(path.read_bytes(), 3)

    costs = cheapest(
        {
            "decoding alone": decode_all,
            "as they are, 1 process": lambda folder: make(images, folder, 1, None),
            "as they are, 2 processes": lambda folder: make(images, folder, 2, None),
            "short side 256, 1 process": lambda folder: make(images, folder, 1, SMALL),
            "short side 256, 2 processes": lambda folder: make(images, folder, 2, SMALL),
        },
        tmp_path,
    )
    for name, (cpu, elapsed) in costs.items():
        print(f"\n{name:28} {len(files) / cpu:6,.0f} images, {mib / cpu:5.1f} MiB a CPU-second", end="")
        print(f"{len(files) / elapsed:8,.0f} images/s {mib / elapsed:6.1f} MiB/s", end="")
    alone, one, two, small_one, small_two = (cpu for cpu, _ in costs.values())
    rows = [
        Row("as they are: CPU, of decoding alone", one / alone, 2, at_most=True),
        Row("as they are: CPU of 2 processes, of 1", two / one, 1.25, at_most=True),
        Row("short side 256: CPU of 2 processes, of 1", small_two / small_one, 1.25, at_most=True),
    ]
    assert table(rows)


@pytest.mark.timeout(900)
def test_a_maker_of_imagenets_number_of_samples_stays_small(tmp_path: Path) -> None:
    """Of 1,281,167 samples the parent holds the listing and, at the end, the index; a worker the listing's paths."""
    command = [sys.executable, huge_source.__file__, str(tmp_path / "set")]
    peaks: dict[int, float] = {}
    with subprocess.Popen(command) as maker:
        while maker.poll() is None:
            peaks |= {pid: peak_mib(pid) for pid in (maker.pid, *children(maker.pid))}
            time.sleep(0.5)
    assert maker.returncode == 0
    parent, *workers = sorted(peaks.values(), reverse=True)
    rows = [
        Row("parent", parent, 450, " MiB", at_most=True),
        Row("worker", max(workers), 150, " MiB", at_most=True),
    ]
    assert table(rows)


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def peak_mib(pid: int) -> float:
    """The largest resident set of a process so far; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0)
