"""A reader and clients of a small deterministic stream, in this process or in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from paribus.data.sharing import Client, Handed, Limits, Parting, Server, Stream, WaitPolicy

PLATFORM = Path(__file__).resolve().parents[1] / "platform"


@dataclass(frozen=True, kw_only=True)
class Noise:
    """A source: uniform noise drawn from (seeds, epoch, step); every fifth batch lacks its last sample.

    `ahead` more batches are begun before the first is given, each takes `delay_s`, and the step `fails_at` raises.
    """

    steps: int = 12
    shape: tuple[int, int, int, int] = (4, 16, 16, 3)
    ahead: int = 2
    delay_s: float = 0.0
    fails_at: int | None = None

    @property
    def stream(self) -> Stream:
        return Stream("noise", json.dumps(asdict(self)), self.steps, self.shape)

    @classmethod
    def open(cls, spec: str) -> Noise:
        found = json.loads(spec)
        return cls(**{**found, "shape": tuple(found["shape"])})

    def pixels(
        self,
        order_seed: int,
        augment_seed: int,
        epoch: int,
        start_step: int = 0,
        allocate: Callable[[int], np.ndarray] | None = None,
    ) -> Iterator[Handed]:
        waiting: deque[tuple[int, np.ndarray]] = deque()
        for step in range(start_step, self.steps + self.ahead):
            if step < self.steps:
                waiting.append((step, allocate(step) if allocate else np.empty(self.shape, np.uint8)))
            if step - start_step >= self.ahead and waiting:
                yield self._drawn((order_seed, augment_seed, epoch), *waiting.popleft())
        while waiting:
            yield self._drawn((order_seed, augment_seed, epoch), *waiting.popleft())

    def _drawn(self, seeds: tuple[int, int, int], step: int, into: np.ndarray) -> Handed:
        if step == self.fails_at:
            raise ValueError(f"step {step} is damaged")
        time.sleep(self.delay_s)
        size = self.shape[0]
        generator = np.random.Generator(np.random.Philox(key=[seeds[0] << 16 | seeds[1], seeds[2] << 32 | step]))
        into[:] = generator.integers(0, 256, self.shape, dtype=np.uint8)
        num = size - (step % 5 == 4)
        rows = np.arange(step * size, (step + 1) * size, dtype=np.int32)
        return Handed(into[:num], rows[:num], rows[num:])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a client does: `epochs` from (epoch, step) on, `slow_s` of work a step, up to `stop_after` steps."""

    epochs: int = 1
    epoch: int = 0
    step: int = 0
    order_seed: int = 1
    slow_s: float = 0.0
    stop_after: int | None = None
    pause_s: float = 0.0


@dataclass(frozen=True)
class Seen:
    """One batch as a client saw it; `digest` of pixels and rows, taken after its work was done."""

    epoch: int
    step: int
    digest: str
    shared: bool


def digest(batch: Handed) -> str:
    parts = (batch.images, batch.positions, batch.undecodable)
    return sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def train(source: Noise, plan: Plan, client: Client | None) -> Iterator[Seen]:
    """The batches of `plan`, from the reader as far as it serves, then alone, as a feed does it."""
    num = 0
    for epoch in range(plan.epoch, plan.epoch + plan.epochs):
        step = plan.step if epoch == plan.epoch else 0
        for shared, batch in _batches(source, plan.order_seed, epoch, step, client):
            time.sleep(plan.slow_s)
            yield Seen(epoch, step, digest(batch), shared)
            step, num = step + 1, num + 1
            if num == plan.stop_after:
                return
        time.sleep(plan.pause_s)


def _batches(source: Noise, seed: int, epoch: int, step: int, client: Client | None) -> Iterator[tuple[bool, Handed]]:
    if client is not None:
        for batch in client.pixels(seed, 2, epoch, step):
            yield True, batch
            step += 1
    for batch in source.pixels(seed, 2, epoch, step):
        if client is not None:
            client.alone(epoch, step)
        yield False, batch
        step += 1


def alone(source: Noise, plan: Plan | None = None) -> list[tuple[int, int, str]]:
    """What a client of `plan` must see: (epoch, step, digest)."""
    return [(seen.epoch, seen.step, seen.digest) for seen in train(source, plan or Plan(), None)]


class Process:
    """A reader or a client in a process of its own, which answers with a line of JSON at a time."""

    running: ClassVar[list[Process]] = []

    def __init__(self, role: str, **settings: object) -> None:
        command = [sys.executable, __file__, role, json.dumps(settings)]
        environment = {"PYTHONPATH": f"{PLATFORM}", "PATH": ""}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.running.append(self)

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self) -> Any:
        """The next thing that it says."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            raise AssertionError(self.process.communicate()[1])
        return json.loads(text)

    def go(self) -> None:
        """What it waits for: a client's start, or a question to a reader."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> list[Any]:
        """Everything it still says, to its end; its input is closed, which ends a reader."""
        out, err = self.process.communicate(timeout=60)
        self.running.remove(self)
        assert not err, err
        return [json.loads(line) for line in out.splitlines()]

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.running.remove(self)


def consumer_process(address: str, source: Noise, plan: Plan, *, silence_s: float = 10.0) -> Process:
    return Process("client", address=address, source=asdict(source), plan=asdict(plan), silence_s=silence_s)


def reader_process(wait_policy: WaitPolicy | None = None, **settings: object) -> Process:
    return Process("reader", wait_policy=asdict(wait_policy or WaitPolicy()), **settings)


def start(*clients: Process) -> None:
    """Let clients begin together, once all have imported what they need."""
    for process in clients:
        assert process.line() == "ready"
    for process in clients:
        process.go()


def seen_by(process: Process, begun: Sequence[Any] = ()) -> tuple[list[Seen], list[Parting]]:
    """The batches that a client process saw, those `begun` with that were read before, and its partings."""
    *batches, last = [*begun, *process.end()]
    return [Seen(**batch) for batch in batches], [Parting(**parting) for parting in last["partings"]]


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


def _read(wait_policy: dict[str, float], file_mib: int | None = None, **settings: float) -> None:
    if file_mib is not None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (file_mib << 20, file_mib << 20))
    reader = Server(Noise.open, wait_policy=WaitPolicy(**wait_policy), limits=Limits(**settings))  # type: ignore[arg-type]
    _say({"address": reader.address})
    for _ in sys.stdin:
        _say(reader.counts)
    _say(reader.counts)
    reader.close()


def _consume(address: str, source: dict[str, object], plan: dict[str, object], silence_s: float) -> None:
    noise = Noise.open(json.dumps(source))
    client = Client(noise.stream, lambda: address, silence_s=silence_s)
    _say("ready")
    sys.stdin.readline()
    for seen in train(noise, Plan(**plan), client):  # type: ignore[arg-type]
        _say(asdict(seen))
    _say({"partings": [asdict(parting) for parting in client.partings]})


if __name__ == "__main__":
    {"reader": _read, "client": _consume}[sys.argv[1]](**json.loads(sys.argv[2]))
