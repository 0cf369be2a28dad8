"""The evaluation split as it is stored, for evaluations that cut more than one view out of an image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from paribus.data.device_transform import Colour
from paribus.data.loader import in_order
from paribus.data.open_split import OpenSplit
from paribus.data.stream import Viewing
from paribus.errors import DataError
from paribus.images.decode import Pixels
from paribus.shards.manifest import Manifest

T = TypeVar("T")


@dataclass(frozen=True)
class Prepared(Generic[T]):
    """Some images of the split: `rows` (N,) int64 in the order of `Originals.keys`, and what was made of each."""

    rows: NDArray[np.int64]
    images: list[T]


class Originals:
    """Uncropped evaluation images; open them with `open_originals`.

    `keys` and `labels` (n,) int64 have the order of `Feed.eval_keys`; `size` is the side of the input in pixels,
    `digest` names the data.
    """

    def __init__(self, manifest: Manifest, split: OpenSplit, seen: Viewing, normalise: bool, threads: int) -> None:
        self._rows, self._seen, self._threads = split.rows, seen, threads
        self._colour = Colour.of(manifest, normalise)
        self.name, self.digest = manifest.name, manifest.digest
        self.classes, self.channels = tuple(manifest.classes), manifest.channels
        self.num_classes = len(self.classes)
        self.size = seen.size
        self.keys, self.labels = tuple(split.index.keys), split.index.labels.astype(np.int64)

    def prepared(
        self, rows: NDArray[np.int64], batch_size: int, prepare: Callable[[Pixels], T]
    ) -> Iterator[Prepared[T]]:
        """`prepare` of each image in `rows` (rising), `batch_size` at a time; it runs in the data's threads.

        Raises:
            DataError: a damaged shard, or an image that does not decode.
        """

        def task(piece: NDArray[np.int64]) -> Prepared[T]:
            return Prepared(piece, [prepare(self._image(row)) for row in piece.tolist()])

        pieces = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        with self._rows.ahead(rows.astype(np.int32)):
            yield from chain.from_iterable(in_order(([partial(task, piece)] for piece in pieces), self._threads))

    def seen(self, pixels: Pixels) -> Pixels:
        """(size, size, C): what the evaluation of training sees of a stored image."""
        return self._seen.cut(pixels)

    def scaled(self, images: Sequence[Pixels]) -> torch.Tensor:
        """(N, C, H, W) float32 of (H, W, C) uint8 images of one shape, normalised as the recipe has it."""
        return self._colour.scaled(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous())

    def _image(self, row: int) -> Pixels:
        image = self._rows.image(row)
        if image is None:
            raise DataError(
                f"{self.keys[row]} of {self.name} does not decode: evaluation allows none, so leave it out by key"
            )
        return image
