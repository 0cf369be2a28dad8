"""Batches from the node's reader, for as long as it serves them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from torch.utils.dlpack import from_dlpack

from paribus.data.pixel_source import Asked, PixelBatch, PixelSource
from paribus.data.sharing.client import Client


@dataclass(frozen=True)
class Shared:
    """Training batches that `client` is handed, then those of the source `below`, to the end of an epoch of `steps`:
    the same ones."""

    below: PixelSource
    client: Client
    steps: int

    def batches(self, asked: Asked) -> Iterator[PixelBatch]:
        """A batch a step, in turn."""
        seeding, step = asked.seeding, asked.start
        assert seeding is not None, "evaluation is not shared"
        with closing(self.client.pixels(seeding.order, seeding.augment, seeding.epoch, step)) as handed:
            for batch in handed:
                step += 1
                # Not from_numpy, which warns of memory that may only be read.
                yield PixelBatch(from_dlpack(batch.images), batch.positions, batch.undecodable)
        if step < self.steps:
            for own in self.below.batches(asked.since(step)):
                self.client.alone(seeding.epoch, step)
                step += 1
                yield own
