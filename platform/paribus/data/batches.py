"""The data of a recipe as batches, each a pure function of the data, order seed, augment seed, epoch and step."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from paribus.data.augment import Colour, Draw, cut_out, resized_crops, varied
from paribus.data.errors import DataError
from paribus.data.manifest import Index, Manifest
from paribus.data.order import choose, epoch_order, share
from paribus.data.supply import Loaded, Request, Supply, in_order
from paribus.recipe.recipe import Recipe

Floats = NDArray[np.float32]
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Batch:
    """`images` (N, C, H, W) float32, `labels` (N,) int64, and the N sample keys."""

    images: torch.Tensor
    labels: torch.Tensor
    keys: list[str]


@dataclass(frozen=True)
class Part:
    """One split, ready to be read."""

    index: Index
    supply: Supply


class Feed:
    """Training and evaluation batches of one recipe; open it with `open_feed`.

    `digest` names the data, `size` is the side of the input in pixels, `num_train` counts the samples chosen by
    `data.train_fraction`. With `world_size` > 1 each rank gets its share of every global batch.
    """

    def __init__(
        self,
        recipe: Recipe,
        manifest: Manifest,
        size: int,
        parts: tuple[Part, Part],
        threads: int,
        ranks: tuple[int, int],
    ) -> None:
        self._recipe, self._manifest = recipe, manifest
        self._train, self._eval = parts
        self._threads, self._ranks = threads, ranks
        self._chosen = choose(self._train.index, recipe.data.train_fraction)
        self._colour = Colour(np.array(manifest.mean), np.array(manifest.sd))
        self._undecodable: set[int] = set()
        self.digest = manifest.digest
        self.num_train, self.num_eval = len(self._chosen), len(self._eval.index)
        self.classes, self.num_classes = manifest.classes, len(manifest.classes)
        self.channels: int = manifest.channels
        self.size = size
        self.steps_per_epoch = self.num_train // recipe.data.batch_size
        self._check()

    @property
    def eval_keys(self) -> list[str]:
        """The keys of the evaluation split, in the order of `evaluation`."""
        return list(self._eval.index.keys)

    @property
    def undecodable_keys(self) -> list[str]:
        """The training samples that did not decode so far."""
        return [self._train.index.keys[row] for row in sorted(self._undecodable)]

    def batches(self, order_seed: int, augment_seed: int, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The training batches of `epoch` from `start_step` on; the last, partial one is dropped.

        A sample that does not decode leaves its batch one shorter; `undecodable_keys` names those met so far.

        Raises:
            DataError: a damaged shard, or more undecodable samples in the epoch than `data.max_undecodable` allows.
        """
        order = epoch_order(self._train.index, self._chosen, order_seed, epoch)
        batch = self._recipe.data.batch_size
        starts = range(start_step * batch, self.steps_per_epoch * batch, batch)
        requests = self._requests(order.positions, order.windows, [(start, start + batch) for start in starts])
        prepare = partial(self._varied, self._train.index, augment_seed, epoch)
        undecodable: list[int] = []
        for loaded, images in self._loads(self._train, requests, prepare):
            undecodable += loaded.undecodable.tolist()
            self._check_undecodable(undecodable, loaded)
            yield _batch(self._train.index, loaded.positions, images)

    def evaluation(self) -> Iterator[Batch]:
        """The evaluation split, every key once, in the order of `eval_keys` (of this rank's share).

        Raises:
            DataError: a damaged shard, a sample that does not decode, or a count that is not the manifest's.
        """
        index = self._eval.index
        batch = self._recipe.data.eval_batch_size
        bounds = [(start, min(start + batch, self.num_eval)) for start in range(0, self.num_eval, batch)]
        requests = self._requests(np.arange(self.num_eval), index.shard_of, bounds)
        seen = 0
        for loaded, images in self._loads(self._eval, requests, self._plain):
            if len(loaded.undecodable):
                raise DataError(self._undecodable_text(index, loaded.undecodable.tolist(), "evaluation allows none"))
            seen += len(loaded.positions)
            if len(loaded.positions):
                yield _batch(index, loaded.positions, images)
        expected = sum(len(request.positions) for request in requests)
        if seen != expected:
            raise DataError(f"evaluation of {self._manifest.name} saw {seen} of {expected} samples")

    def _requests(
        self, positions: NDArray[np.int64], windows: NDArray[np.int64], bounds: list[tuple[int, int]]
    ) -> list[Request]:
        rows = [share(np.arange(start, end), *self._ranks) for start, end in bounds]
        return [Request(positions[chosen], windows[chosen]) for chosen in rows]

    def _loads(
        self, part: Part, requests: list[Request], prepare: Callable[[Loaded], Floats]
    ) -> Iterator[tuple[Loaded, Floats]]:
        def prepared(load: Callable[[], Loaded]) -> tuple[Loaded, Floats]:
            loaded = load()
            return loaded, prepare(loaded)

        tasks = part.supply.tasks(requests, ahead=self._threads > 0)
        return in_order((partial(prepared, task) for task in tasks), self._threads)

    def _varied(self, index: Index, seed: int, epoch: int, loaded: Loaded) -> Floats:
        """(N, C, H, W) float32 of the training images of a batch, augmented."""
        if not len(loaded.positions):
            return self._nothing()
        augment, draw = self._recipe.augment, Draw(index.ids[loaded.positions], seed, epoch)
        if augment.crop == "random_resized":
            images = resized_crops(loaded.images, self.size, augment.min_area, draw)
        else:
            images = np.asarray(loaded.images)
        floats = self._colour.scaled(varied(images, augment, draw), augment.normalise)
        if augment.cutout:
            fill = 0 * self._colour.mean if augment.normalise else self._colour.mean
            cut_out(floats, augment.cutout, fill.astype(np.float32), draw)
        return floats

    def _plain(self, loaded: Loaded) -> Floats:
        if not len(loaded.positions):
            return self._nothing()
        return self._colour.scaled(np.asarray(loaded.images), self._recipe.augment.normalise)

    def _nothing(self) -> Floats:
        return np.empty((0, self.channels, self.size, self.size), np.float32)

    def _check_undecodable(self, met: list[int], loaded: Loaded) -> None:
        # Counted epoch by epoch, so that whether a trial fails does not depend on what the feed served before.
        self._undecodable.update(met)
        allowed = self._recipe.data.max_undecodable * self.num_train
        if len(met) > allowed:
            limit = f"data.max_undecodable allows {int(allowed)} of {self.num_train}"
            raise DataError(self._undecodable_text(self._train.index, met, limit))
        if not len(loaded.positions):
            raise DataError(
                self._undecodable_text(self._train.index, loaded.undecodable.tolist(), "nothing is left of their batch")
            )

    def _undecodable_text(self, index: Index, rows: list[int], limit: str) -> str:
        names = ", ".join(index.keys[row] for row in rows[:_NAMED])
        more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
        return f"{len(rows)} samples of {self._manifest.name} do not decode ({names}{more}): {limit}"

    def _check(self) -> None:
        data, augment, world_size = self._recipe.data, self._recipe.augment, self._ranks[1]
        if self.num_train < data.batch_size:
            raise DataError(
                f"{self._manifest.name} has {self.num_train} training samples (data.train_fraction = "
                f"{data.train_fraction} of {len(self._train.index)}), fewer than a batch: data.batch_size = "
                f"{data.batch_size}"
            )
        if data.batch_size % world_size:
            raise DataError(f"data.batch_size = {data.batch_size} does not divide among {world_size} ranks")
        if augment.crop == "pad" and augment.pad >= self.size:
            raise DataError(f"augment.pad = {augment.pad}: reflection needs less than the image's {self.size} pixels")
        if augment.cutout > self.size:
            raise DataError(f"augment.cutout = {augment.cutout} is wider than the image's {self.size} pixels")
        if augment.normalise and 0 in self._manifest.sd:
            raise DataError(
                f"{self._manifest.name}: channel {self._manifest.sd.index(0)} is constant over the training split and "
                "cannot be scaled to sd 1: set augment.normalise to False"
            )


def _batch(index: Index, positions: NDArray[np.int64], images: Floats) -> Batch:
    keys = [index.keys[row] for row in positions.tolist()]
    return Batch(torch.from_numpy(images), torch.from_numpy(index.labels[positions]), keys)
