"""What a source of pixels is asked, and gives: rows in, pixels out; and steps in, batches out.

Sources stack. Of rows: `Stream` reads them from the shards, `Cached` keeps them and asks its stream for the others,
`Staged` sends them through the user's own stages, `Augmented` varies those of any other. Of steps: `Loader` makes
batches of rows in threads, `Shared` has them from the node's reader and from the source below it where that ends,
`OnDevice` gathers them from a split on the device that trains. Imports no torch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from paribus.data.augment import Draw
from paribus.images.decode import Pixels
from paribus.shards.index import Index

if TYPE_CHECKING:
    import torch

Positions = NDArray[np.int32]
# Where the pixels of a step go: a function of the 0-based step, giving (B, H, W, C) uint8.
Allocate = Callable[[int], Pixels]


@dataclass(frozen=True)
class Crops:
    """What to cut out of each of N images: `boxes` (N, 4) int64 top, left, height, width in pixels, `flips` (N,)."""

    boxes: NDArray[np.int64]
    flips: NDArray[np.bool_]


class RowSource(Protocol):
    """Where the pixels of single samples come from; any thread may ask."""

    def ahead(self, positions: Positions) -> AbstractContextManager[object]:
        """Within the block these rows will be asked for, about in this order."""
        ...

    def fill(
        self, positions: Positions, out: Pixels, draw: Draw | None = None, crops: Crops | None = None
    ) -> NDArray[np.bool_]:
        """Write the N images at `positions`, viewed or cropped, into `out` (N, H, W, C); (N,) which of them decoded.

        `draw` is what chance there is comes from: None in evaluation.
        """
        ...

    def image(self, row: int) -> Pixels | None:
        """The viewed image at `row`, (H, W, C), or None where it does not decode."""
        ...


@dataclass(frozen=True)
class PixelBatch:
    """`pixels` (N, H, W, C) uint8, on the host or a device, of rows `positions` of the index; `undecodable` rows."""

    pixels: "torch.Tensor"
    positions: Positions
    undecodable: Positions


@dataclass(frozen=True)
class Seeding:
    """What a training stream follows from beside its data: order seed, augment seed and 0-based epoch."""

    order: int
    augment: int
    epoch: int


@dataclass(frozen=True)
class Asked:
    """The batches of 0-based steps from `start` on, in turn; of evaluation where there is no `seeding`.

    `rows_from(step)` are the rows of each step from that one on, found when they are first needed: who is handed all of
    an epoch needs none. `allocate` says where the pixels go.
    """

    rows_from: Callable[[int], Sequence[Positions] | Positions]
    start: int = 0
    seeding: Seeding | None = None
    allocate: Allocate | None = None

    @cached_property
    def rows(self) -> Sequence[Positions] | Positions:
        """The rows of each step, in turn."""
        return self.rows_from(self.start)

    def since(self, step: int) -> "Asked":
        """The same from `step` on."""
        return replace(self, start=step)

    def draw(self, index: Index, positions: Positions) -> Draw | None:
        """Where the random numbers of these samples come from; None in evaluation."""
        seeding = self.seeding
        return None if seeding is None else Draw(index.ids[positions], seeding.augment, seeding.epoch)


class PixelSource(Protocol):
    """Where the batches of a split come from, before they go to the device: what `Asked` says, and nothing else."""

    def batches(self, asked: Asked) -> Iterator[PixelBatch]:
        """A batch a step, in turn."""
        ...
