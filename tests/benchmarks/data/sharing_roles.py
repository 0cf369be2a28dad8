"""What runs in the processes of `bench_sharing.py`: `python sharing_roles.py ROLE SETTINGS`, the latter as JSON.

Each answers a line on its standard input with a line on its output.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil

NUM, SIZE, BATCH, TRIALS = 1024, 224, 32, 4
# Epochs in one, for the comparison with TensorSocket: seconds of work either way.
LONG = {"decoding": 3, "memory": 48}


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
    from paribus.data.sharing import Limits, Server, WaitPolicy
    from paribus.data.sharing.recipes import Sources

    source = MemorySource() if pipeline == "memory" else None
    opened: Callable[[str], Any] = Sources() if source is None else lambda spec: source
    reader = Server(opened, wait_policy=WaitPolicy(base_s=60.0, gather_s=0.1), limits=Limits(ahead=4))
    _say(address=reader.address)
    for _ in sys.stdin:
        pass


def _trial(home: str, address: str, pipeline: str = "decoding") -> None:
    """A trial that asks for its pixels, from the reader or its own loader, and looks at a byte of each page."""
    from paribus.data import open_feed
    from paribus.data.sharing import Client, Stream
    from paribus.data.sharing.recipes import stream_of

    recipe = _recipe()
    feeds = {threads: open_feed(recipe, Path(home), threads=threads) for threads in {1, psutil.cpu_count() or 1}}
    stream = stream_of(recipe, feeds[1], Path(home))
    if pipeline == "memory":
        stream = Stream("memory", "", NUM // BATCH, (BATCH, SIZE, SIZE, 3))
    client = Client(stream, lambda: address)
    _say(ready=True)
    for line in sys.stdin:
        order = json.loads(line)
        images = 0
        for epoch in range(order["epoch"], order["epoch"] + order["epochs"]):
            before = images
            source = feeds[order["threads"]] if order["threads"] else client
            for batch in source.pixels(1, 2, epoch):
                pixels = batch.images if source is client else batch.pixels.numpy()
                assert pixels.reshape(-1)[::4096].sum() > 0
                images += len(pixels)
            assert images - before == BATCH * (NUM // BATCH)
        client.leave()
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

        from paribus.data.pixel_source import PixelBatch

        for epoch in islice(self._epochs, self._num):
            for batch in self._source.pixels(1, 2, epoch):
                pixels = batch.pixels if isinstance(batch, PixelBatch) else torch.from_numpy(batch.images)
                yield pixels, torch.from_numpy(batch.positions)


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
