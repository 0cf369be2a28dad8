"""The hashes of a recipe's training stream, as a trial logs them, without training. Imports no torch for keys alone."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from paribus.data.order import Order
from paribus.errors import DataError
from paribus.recipe.recipe import Recipe
from paribus.shards.catalog import find
from paribus.shards.counters import hash_keys
from paribus.shards.fraction import trained_on
from paribus.shards.index import Index, read_index

if TYPE_CHECKING:
    from collections.abc import Generator

    from paribus.data.batches import Feed
    from paribus.data.pixel_source import PixelBatch

Rows = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Readers:
    """How pixels are read: `ranks` share each batch, each with `threads` (0: none). They must not matter."""

    ranks: int = 1
    threads: int = 1


@dataclass(frozen=True)
class StepHash:
    """The stream after one step of 1-based `epoch`: `keys` is the running hash of the sample keys of all steps so far.

    `pixels` is the CRC-32, 8 hex digits, of the uint8 images (N, H, W, C) of the epoch so far, cropped and flipped, not
    yet normalised; None where only keys were read. `num_samples` counts those of this step.
    """

    epoch: int
    step: int
    num_samples: int
    keys: str
    pixels: str | None
    ends_epoch: bool


class Hasher:
    """The training stream of `recipe`; `num_steps` in all, `steps_per_epoch` of them an epoch, `digest` of its data.

    Raises:
        DataError: as `open_feed` does.
    """

    def __init__(self, recipe: Recipe, home: Path | None = None) -> None:
        found = find(recipe.data, home)
        place, manifest = found.place, found.manifest
        self.recipe, self.digest, self.name = recipe, manifest.digest, manifest.name
        self._home = home
        self._index: Index = read_index(place, manifest, recipe.data.train_split)
        chosen = trained_on(self._index, recipe.data)
        self._order = Order(self._index, chosen, recipe.data.shuffle_shards, recipe.data.batch_size)
        self.num_train = len(chosen)
        self.steps_per_epoch = self.num_train // recipe.data.batch_size
        if not self.steps_per_epoch:
            raise DataError(
                f"{manifest.name} has {self.num_train} training samples (data.train_fraction = "
                f"{recipe.data.train_fraction}, data.holdout = {recipe.data.holdout}), fewer than a batch: "
                f"data.batch_size = {recipe.data.batch_size}"
            )
        self.num_steps = recipe.budget.num_steps(self.num_train, recipe.data.batch_size)
        self.num_epochs = -(-self.num_steps // self.steps_per_epoch)

    def keys(self, order_seed: int, num_epochs: int) -> Iterator[StepHash]:
        """Step after step of the first `num_epochs`, from the index alone.

        Samples that did not decode when the shards were made are left out, as training leaves them out.
        """
        decodes = self._index.rows["height"] > 0
        running = hash_keys("", [])
        for epoch, step, rows in self._steps(order_seed, num_epochs):
            rows = rows[decodes[rows]]
            running = hash_keys(running, self._names(rows))
            yield StepHash(epoch, step, len(rows), running, None, self._ends(epoch, step))

    def pixels(
        self, order_seed: int, augment_seed: int, num_epochs: int, readers: Readers = Readers()
    ) -> Iterator[StepHash]:
        """The same, with every image decoded, cropped and flipped as training does it."""
        from paribus.data.feed import open_feed

        recipe = self.recipe.replace({"resources.gpus": 0.0})  # pixels are made by the CPU
        feeds = [
            open_feed(recipe, self._home, rank=rank, world_size=readers.ranks, threads=readers.threads)
            for rank in range(readers.ranks)
        ]
        running = hash_keys("", [])
        for epoch in range(num_epochs):
            found = 0
            for step, parts in enumerate(_side_by_side(feeds, order_seed, augment_seed, epoch)):
                if epoch * self.steps_per_epoch + step >= self.num_steps:
                    return
                rows = np.concatenate([part.positions for part in parts])
                running = hash_keys(running, self._names(rows))
                for part in parts:
                    found = crc32(part.pixels.contiguous().numpy().data, found)
                yield StepHash(epoch + 1, step + 1, len(rows), running, f"{found:08x}", self._ends(epoch + 1, step + 1))

    def _steps(self, order_seed: int, num_epochs: int) -> Iterator[tuple[int, int, Rows]]:
        """1-based epoch, 1-based step, rows; to the end of the budget."""
        left = self.num_steps
        for epoch in range(num_epochs):
            for step, rows in enumerate(self._order.steps(order_seed, epoch)[:left], start=1):
                yield epoch + 1, step, rows
            left -= self.steps_per_epoch

    def _ends(self, epoch: int, step: int) -> bool:
        return step == self.steps_per_epoch or (epoch - 1) * self.steps_per_epoch + step == self.num_steps

    def _names(self, rows: Rows) -> list[str]:
        return [self._index.keys[row] for row in rows.tolist()]


def _side_by_side(feeds: "list[Feed]", order_seed: int, augment_seed: int, epoch: int) -> "Iterator[list[PixelBatch]]":
    """Each step's parts, rank by rank."""
    with ExitStack() as open_streams:
        streams = [
            open_streams.enter_context(
                closing(cast("Generator[PixelBatch]", feed.pixels(order_seed, augment_seed, epoch)))
            )
            for feed in feeds
        ]
        yield from map(list, zip(*streams, strict=True))
