"""The evaluation split as it is stored, for evaluations that cut more than one view out of an image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from paribus.data.augment import Colour
from paribus.data.batches import Part
from paribus.data.decode import Pixels
from paribus.data.errors import DataError
from paribus.data.manifest import Manifest
from paribus.data.supply import Loaded, Request, Viewing, in_order

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

    def __init__(self, manifest: Manifest, part: Part, seen: Viewing, normalise: bool, threads: int) -> None:
        self._part, self._seen, self._normalise, self._threads = part, seen, normalise, threads
        self._colour = Colour(np.array(manifest.mean), np.array(manifest.sd))
        self.name, self.digest = manifest.name, manifest.digest
        self.num_classes, self.channels = len(manifest.classes), manifest.channels
        self.size = seen.size
        self.keys, self.labels = part.index.keys, part.index.labels

    def prepared(
        self, rows: NDArray[np.int64], batch_size: int, prepare: Callable[[Pixels], T]
    ) -> Iterator[Prepared[T]]:
        """`prepare` of each image in `rows` (rising), `batch_size` at a time; it runs in the data's threads.

        Raises:
            DataError: a damaged shard, or an image that does not decode.
        """
        pieces = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        requests = [Request(piece, self._part.index.shard_of[piece]) for piece in pieces]

        def task(load: Callable[[], Loaded]) -> Prepared[T]:
            loaded = load()
            if len(loaded.undecodable):
                key = self.keys[int(loaded.undecodable[0])]
                raise DataError(f"{key} of {self.name} does not decode: evaluation allows none, so leave it out by key")
            return Prepared(loaded.positions, [prepare(image) for image in loaded.images])

        tasks = self._part.supply.tasks(requests, ahead=self._threads > 0)
        return in_order((partial(task, load) for load in tasks), self._threads)

    def seen(self, pixels: Pixels) -> Pixels:
        """(size, size, C): what the evaluation of training sees of a stored image."""
        return self._seen.cut(pixels)

    def scaled(self, images: Sequence[Pixels]) -> torch.Tensor:
        """(N, C, H, W) float32 of (H, W, C) uint8 images of one shape, normalised as the recipe has it."""
        return torch.from_numpy(self._colour.scaled(np.stack(images), self._normalise))
