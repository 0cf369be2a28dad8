"""Sources of pixels stack: one of a few lines stands below augmentation, threads and sharing as ours do."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from paribus.data.augment import Draw, varied
from paribus.data.augmented import Augmented
from paribus.data.cache.on_device import DeviceSplit, OnDevice
from paribus.data.loader import Loader
from paribus.data.order import Order
from paribus.data.pixel_source import Asked, Crops, PixelSource, Positions, RowSource, Seeding
from paribus.data.sharing import Client, Stream
from paribus.data.sharing.shared import Shared
from paribus.images.decode import Pixels
from paribus.recipe.data import Augment
from paribus.shards.counters import sample_ids
from paribus.shards.index import ROW, Index
from paribus.shards.input_times import InputTimes

NUM, SHAPE, BATCH = 50, (6, 6, 1), 8
AUGMENT = Augment(crop="pad", pad=2, flip=True)
SEEDING = Seeding(order=1, augment=2, epoch=3)
IMAGES = np.random.Generator(np.random.Philox(key=7)).integers(0, 256, (NUM, *SHAPE), dtype=np.uint8)


@dataclass
class Given:
    """A source of rows: images that are there already, but for one that does not decode."""

    asked_ahead: list[int] = field(default_factory=list)

    def ahead(self, positions: Positions) -> AbstractContextManager[object]:
        self.asked_ahead += positions.tolist()
        return nullcontext()

    def fill(
        self, positions: Positions, out: Pixels, draw: Draw | None = None, crops: Crops | None = None
    ) -> NDArray[np.bool_]:
        out[:] = IMAGES[positions]
        good: NDArray[np.bool_] = positions != 13
        return good

    def image(self, row: int) -> Pixels | None:
        return None if row == 13 else IMAGES[row]


def index() -> Index:
    rows = np.zeros(NUM, ROW)
    keys = [f"sample-{row}" for row in range(NUM)]
    rows["id"] = sample_ids(keys)
    return Index.of(keys, rows, [NUM])


def loader(rows: RowSource, threads: int = 2) -> Loader:
    return Loader(rows=rows, index=index(), shape=SHAPE, threads=threads, input_times=InputTimes(), device=None)


def asked(start: int = 0) -> Asked:
    order = Order(index(), np.arange(NUM, dtype=np.int32), 4, BATCH)
    return Asked(lambda step: order.steps(SEEDING.order, SEEDING.epoch, step), start, SEEDING)


def seen(source: PixelSource, start: int = 0) -> list[tuple[list[int], list[int], torch.Tensor]]:
    return [
        (batch.positions.tolist(), batch.undecodable.tolist(), batch.pixels.clone())
        for batch in source.batches(asked(start))
    ]


def same(left: list[tuple[list[int], list[int], torch.Tensor]], right: object) -> bool:
    assert isinstance(right, list)
    return len(left) == len(right) and all(
        a[:2] == b[:2] and torch.equal(a[2], b[2]) for a, b in zip(left, right, strict=True)
    )


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_source_of_rows_becomes_augmented_batches_by_threads(threads: int) -> None:
    given = Given()
    found = seen(loader(Augmented(given, index(), AUGMENT), threads))
    rows = [row for positions, undecodable, _ in found for row in (*positions, *undecodable)]
    assert len(found) == NUM // BATCH
    assert sorted(rows) == sorted(given.asked_ahead)
    assert [undecodable for _, undecodable, _ in found if undecodable] == [[13]] * (13 in rows)
    for positions, _, pixels in found:
        draw = Draw(index().ids[positions], SEEDING.augment, SEEDING.epoch)
        np.testing.assert_array_equal(pixels.numpy(), varied(IMAGES[positions], AUGMENT, draw))


def test_batches_of_a_device_and_of_a_node_without_reader_are_those_of_the_source_below() -> None:
    below = loader(Augmented(Given(), index(), AUGMENT))
    decoded = np.arange(NUM) != 13
    there = OnDevice(DeviceSplit(torch.from_numpy(IMAGES), decoded), index(), AUGMENT, InputTimes())
    stream = Stream("identity", "", NUM // BATCH, (BATCH, *SHAPE))

    def nowhere() -> str:
        raise RuntimeError("none was started")

    client = Client(stream, nowhere)
    for start in (0, 4):
        expected = seen(below, start)
        assert len(expected) == NUM // BATCH - start
        assert same(seen(there, start), expected)
        assert same(seen(Shared(below, client, NUM // BATCH), start), expected)
    assert [(parting.epoch, parting.step) for parting in client.partings] == [(3, 0), (3, 4)]
