"""Four trials on one stream: the shared feed beside four loaders, and beside TensorSocket, each in five processes.

python -m pytest tests/benchmarks/data/bench_sharing.py -s

Nothing is trained: each trial only touches its pixels, so that all wait for data. Images per second are by the clock,
of all trials together; CPU time is of all processes of a way. Ways take turns, the best of the rounds counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sharing_roles import LONG, NUM, TRIALS

TESTS = Path(__file__).resolve().parents[2]
ROLES = Path(__file__).with_name("sharing_roles.py")
PLATFORM = TESTS.parent / "platform"
ROUNDS, EPOCHS = 3, 5
PATIENCE_S = 45.0


@dataclass(frozen=True)
class Taken:
    """What one way took: `images` of all trials, `wall_s` from the first start to the last end, `cpu_s` of all."""

    images: int
    wall_s: float
    cpu_s: float

    @property
    def rate(self) -> float:
        return self.images / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per image that a trial was given."""
        return 1000 * self.cpu_s / self.images


class Role:
    """A process of `sharing_roles.py` that answers each line with a line."""

    def __init__(self, role: str, **settings: object) -> None:
        command = [sys.executable, str(ROLES), role, json.dumps(settings)]
        environment = {"PYTHONPATH": f"{PLATFORM}:{TESTS}", "PATH": "", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def tell(self, **what: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def hear(self) -> Any:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):  # TensorSocket logs to the same place
                return json.loads(line)
        raise AssertionError("it ended without a word")

    @property
    def cpu_s(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def roles(*started: Role) -> Iterator[None]:
    try:
        yield
    finally:
        for role in started:
            role.end()


def measure(trials: list[Role], others: list[Role], **order: object) -> Taken:
    """Let `trials` do what `order` says, all at once."""
    before, start = sum(role.cpu_s for role in trials + others), time.perf_counter()
    for trial in trials:
        trial.tell(**order)
    images = sum(trial.hear()["images"] for trial in trials)
    return Taken(images, time.perf_counter() - start, sum(role.cpu_s for role in trials + others) - before)


def best(ways: dict[str, Callable[[int], Taken]]) -> dict[str, tuple[float, float]]:
    """Per way the best rate and the least CPU time per image over rounds in turns."""
    found = dict.fromkeys(ways, (0.0, np.inf))
    for turn in range(ROUNDS):
        for name, run in ways.items():
            taken = run(1 + turn * EPOCHS)
            found[name] = (max(found[name][0], taken.rate), min(found[name][1], taken.cpu_ms))
    for name, (rate, cpu_ms) in found.items():
        print(f"{name:42} {rate:9,.0f} images/s, {cpu_ms:7.3f} CPU-ms an image")
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from photographs import lay_out

    from paribus.shards.making.shards import make_shards
    from paribus.shards.sources.image_folder import image_folder

    home = tmp_path_factory.mktemp("home")
    make_shards(image_folder(lay_out(home / "images", NUM)), home / "data" / "photos", shard_size=64)
    return home


def test_four_trials_share_beside_four_loaders(home: Path) -> None:
    from interleaved import Row, table

    reader = Role("reader")
    address = reader.hear()["address"]
    trials = [Role("trial", home=str(home), address=address) for _ in range(TRIALS)]
    with roles(reader, *trials):
        for trial in trials:
            trial.hear()
        measure(trials, [reader], threads=0, epoch=0, epochs=1)  # opens the reader's feed
        found = best(
            {
                "one trial alone, all CPUs": lambda epoch: measure(
                    trials[:1], [], threads=psutil.cpu_count(), epoch=epoch, epochs=EPOCHS
                ),
                "four trials, a loader each": lambda epoch: measure(trials, [], threads=1, epoch=epoch, epochs=EPOCHS),
                "four trials, shared": lambda epoch: measure(trials, [reader], threads=0, epoch=epoch, epochs=EPOCHS),
            }
        )
    (_, one_cpu), (own, own_cpu), (shared, shared_cpu) = found.values()
    assert table(
        [
            Row("aggregate images/s, against four loaders", shared / own, 3.5),
            Row("CPU time of four, against that of one alone", TRIALS * shared_cpu / one_cpu, 1.15, at_most=True),
            Row("CPU time of four loaders, against shared", own_cpu / shared_cpu, 3.5),
        ]
    )


@pytest.mark.parametrize("pipeline", ["decoding", "memory"])
def test_beside_tensorsocket(home: Path, pipeline: str) -> None:
    """The same batches, decoded by both from the files; and from memory, so that handing over is all that is done."""
    from interleaved import Row, table

    print(f"\n{pipeline}:")
    turns = LONG[pipeline]
    with ours(home, pipeline) as (trials, reader):
        rounds = [measure(trials, [reader], threads=0, epoch=1 + turns * turn, epochs=turns) for turn in range(ROUNDS)]
    shared = _told("shared feed", rounds)
    peer = _told("TensorSocket", [tensorsocket(home, pipeline) for _ in range(ROUNDS)])
    print(f"CPU time of TensorSocket, against shared: {peer[1] / shared[1]:.2f}x")
    assert table([Row(f"images/s from {pipeline}, against TensorSocket", shared[0] / peer[0], 1.2)])


def _told(name: str, rounds: list[Taken]) -> tuple[float, float]:
    rate, cpu_ms = max(taken.rate for taken in rounds), min(taken.cpu_ms for taken in rounds)
    print(f"{name:42} {rate:9,.0f} images/s, {cpu_ms:7.3f} CPU-ms an image")
    return rate, cpu_ms


@contextmanager
def ours(home: Path, pipeline: str) -> Iterator[tuple[list[Role], Role]]:
    reader = Role("reader", pipeline=pipeline)
    address = reader.hear()["address"]
    trials = [Role("trial", home=str(home), address=address, pipeline=pipeline) for _ in range(TRIALS)]
    with roles(reader, *trials):
        for trial in trials:
            trial.hear()
        measure(trials, [reader], threads=0, epoch=0, epochs=1)
        yield trials, reader


def tensorsocket(home: Path, pipeline: str) -> Taken:
    """A long epoch of each consumer, from its first batch on, after one of warming up; begun again where it hangs."""
    from sandbox import free_ports

    for _ in range(5):
        ports = free_ports(4)
        producer = Role("producer", home=str(home), pipeline=pipeline, ports=ports)
        consumers = [Role("consumer", ports=ports) for _ in range(TRIALS)]
        limit = threading.Timer(PATIENCE_S, lambda started=[producer, *consumers]: [role.end() for role in started])
        limit.start()
        try:
            with roles(producer, *consumers):
                return _watched(producer, consumers)
        except (AssertionError, ValueError):
            print("TensorSocket hung, and is begun again")
        finally:
            limit.cancel()
    raise AssertionError("TensorSocket hung five times")


def _watched(producer: Role, consumers: list[Role]) -> Taken:
    told = [consumer.hear() for consumer in consumers]
    start, end = min(one["start"] for one in told), max(one["end"] for one in told)
    clock = [producer.hear()]
    while clock[-1]["at"] < end:
        clock.append(producer.hear())
    at, cpu_s = np.array([tick["at"] for tick in clock]), np.array([tick["cpu_s"] for tick in clock])
    produced = float(np.interp(end, at, cpu_s) - np.interp(start, at, cpu_s))
    return Taken(sum(one["images"] for one in told), end - start, sum(one["cpu_s"] for one in told) + produced)
