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
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

TESTS = Path(__file__).resolve().parents[2]
PLATFORM = TESTS.parent / "platform"
NUM, SIZE, BATCH, TRIALS = 1024, 224, 32, 4
ROUNDS, EPOCHS = 3, 5
# Epochs in one, for the comparison with TensorSocket: seconds of work either way.
LONG = {"decoding": 3, "memory": 48}
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
    """A process of this file that answers each line with a line."""

    def __init__(self, role: str, **settings: object) -> None:
        command = [sys.executable, __file__, role, json.dumps(settings)]
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


# What follows runs in the processes.


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def _recipe() -> Any:
    from paribus.recipe import preset

    return preset("imagenet").replace(
        {
            "data.name": "photos",
            "data.eval_split": "test",
            "data.size": SIZE,
            "data.batch_size": BATCH,
            "data.cache": "never",
        }
    )


@dataclass(frozen=True)
class Memory:
    """A source of pixels that are there already: one copy a batch, as a mapped cache of whole images costs."""

    pixels: np.ndarray

    @classmethod
    def of(cls, num: int = NUM) -> Memory:
        generator = np.random.Generator(np.random.Philox(key=3))
        return cls(generator.integers(0, 256, (num // 4, SIZE, SIZE, 3), dtype=np.uint8))

    def pixels_of(self, step: int, out: np.ndarray) -> np.ndarray:
        start = step * BATCH % len(self.pixels)
        out[:] = self.pixels[start : start + BATCH]
        return out

    def pixels_at(self, epoch: int, start_step: int, allocate: Callable[[int], np.ndarray] | None) -> Iterator[Any]:
        from paribus.data.sharing import Handed

        rows = np.arange(BATCH, dtype=np.int32)
        for step in range(start_step, NUM // BATCH):
            out = np.empty((BATCH, SIZE, SIZE, 3), np.uint8) if allocate is None else allocate(step)
            yield Handed(self.pixels_of(step, out), rows, rows[:0])


class MemorySource:
    """`Memory` as the reader asks for it."""

    def __init__(self) -> None:
        self._memory = Memory.of()

    def pixels(
        self,
        order_seed: int,
        augment_seed: int,
        epoch: int,
        start_step: int = 0,
        allocate: Callable[[int], np.ndarray] | None = None,
    ) -> Iterator[Any]:
        return self._memory.pixels_at(epoch, start_step, allocate)


def _reader(pipeline: str = "decoding") -> None:
    from paribus.data.sharing import Limits, Patience, Reader
    from paribus.data.sharing.recipes import Sources

    source = MemorySource() if pipeline == "memory" else None
    opened: Callable[[str], Any] = Sources() if source is None else lambda spec: source
    reader = Reader(opened, patience=Patience(base_s=60.0, gather_s=0.1), limits=Limits(ahead=4))
    _say(address=reader.address)
    for _ in sys.stdin:
        pass


def _trial(home: str, address: str, pipeline: str = "decoding") -> None:
    """A trial that asks for its pixels, from the reader or its own loader, and looks at a byte of each page."""
    from paribus.data import open_feed
    from paribus.data.sharing import Consumer, Stream
    from paribus.data.sharing.recipes import stream_of

    recipe = _recipe()
    feeds = {threads: open_feed(recipe, Path(home), threads=threads) for threads in {1, psutil.cpu_count() or 1}}
    stream = stream_of(recipe, feeds[1], Path(home))
    if pipeline == "memory":
        stream = Stream("memory", "", NUM // BATCH, (BATCH, SIZE, SIZE, 3))
    consumer = Consumer(stream, lambda: address)
    _say(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        images = 0
        for epoch in range(order["epoch"], order["epoch"] + order["epochs"]):
            before = images
            for batch in (feeds[order["threads"]] if order["threads"] else consumer).pixels(1, 2, epoch):
                assert batch.images.reshape(-1)[::4096].sum() > 0
                images += len(batch.images)
            assert images - before == BATCH * (NUM // BATCH)
        consumer.leave()
        _say(images=images)


class Loader:
    """What TensorSocket's producer reads: the same batches, as tensors, several epochs in one, for its pause between
    epochs takes up to a second."""

    def __init__(self, home: str, pipeline: str) -> None:
        from paribus.data import open_feed

        self._epochs, self._num = count(), LONG[pipeline]
        self._source: Any = MemorySource()
        if pipeline == "decoding":
            self._source = open_feed(_recipe(), Path(home), threads=psutil.cpu_count())

    def __len__(self) -> int:
        return NUM // BATCH * self._num

    def __iter__(self) -> Iterator[Any]:
        import torch

        for epoch in islice(self._epochs, self._num):
            for batch in self._source.pixels(1, 2, epoch):
                yield torch.from_numpy(batch.images), torch.from_numpy(batch.positions)


def _handles(tensors: Any) -> tuple[bytes, ...]:
    """Names of shared memory. By itself TensorSocket pickles tensors of the CPU, and each whole storage at that."""
    from multiprocessing.reduction import ForkingPickler

    import torch.multiprocessing

    torch.multiprocessing.set_sharing_strategy("file_system")
    return tuple(bytes(ForkingPickler.dumps(tensor)) for tensor in tensors)


def _tensors(handles: tuple[bytes, ...]) -> Any:
    from multiprocessing.reduction import ForkingPickler

    import torch.multiprocessing

    torch.multiprocessing.set_sharing_strategy("file_system")
    return tuple(ForkingPickler.loads(handle) for handle in handles)


def _producer(home: str, pipeline: str, ports: list[int]) -> None:
    from tensorsocket import TensorProducer

    loader = Loader(home, pipeline)
    producer = TensorProducer(
        loader,
        port=ports[0],
        ack_port=ports[1],
        heart_ports=(ports[2], ports[3]),
        rubber_band_pct=64 / len(loader),  # it stops for ever where one falls behind the band
        pack_fn=_handles,
    )
    while len(producer.hb.consumers) < TRIALS:
        time.sleep(0.05)

    def tick() -> None:
        while True:
            _say(at=time.time(), cpu_s=time.process_time())
            time.sleep(0.5)

    threading.Thread(target=tick, daemon=True).start()
    while True:
        for _ in producer:
            pass


def _consumer(ports: list[int]) -> None:
    import zmq
    from tensorsocket import TensorConsumer

    class Prompt(TensorConsumer):  # type: ignore[misc]
        """Takes note of who listens before its first acknowledgement: else that is lost, and all wait for ever."""

        def _fetch_loop(self) -> None:
            self.ack_socket.getsockopt(zmq.EVENTS)
            super()._fetch_loop()

    consumer = Prompt(
        port=ports[0],
        ack_port=ports[1],
        heart_ports=(ports[2], ports[3]),
        batch_size=BATCH,
        unpack_fn=_tensors,
    )
    for epoch in count():
        images = 0
        for pixels, _ in consumer:
            if not images:
                start, cpu_s = time.time(), time.process_time()
            assert int(pixels.view(-1)[::4096].sum()) > 0
            images += len(pixels)
        if epoch == 1:
            _say(images=images, start=start, end=time.time(), cpu_s=time.process_time() - cpu_s)


if __name__ == "__main__":
    {"reader": _reader, "trial": _trial, "producer": _producer, "consumer": _consumer}[sys.argv[1]](
        **json.loads(sys.argv[2])
    )
