"""The data of a recipe as batches, each a pure function of the data, order seed, augment seed, epoch and step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from paribus.data.augment import Draw
from paribus.data.augmented import Augmented
from paribus.data.cache.choice import CacheChoice
from paribus.data.cache.on_device import OnDevice
from paribus.data.device_transform import Colour, DeviceTransform
from paribus.data.loader import Loader
from paribus.data.open_split import OpenSplit
from paribus.data.order import Order, share
from paribus.data.pixel_source import Allocate, Asked, PixelBatch, PixelSource, Positions, RowSource, Seeding
from paribus.data.sharing.client import Client
from paribus.data.sharing.shared import Shared
from paribus.data.transforms import is_transformed
from paribus.data.undecodable import Undecodable, told
from paribus.errors import DataError
from paribus.images.decode import Pixels
from paribus.recipe.recipe import Recipe
from paribus.shards.catalog import check_fit
from paribus.shards.fraction import trained_on
from paribus.shards.input_times import SHARED_ADVICE
from paribus.shards.manifest import Manifest

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Batch:
    """`pixels` (N, H, W, C) uint8 on the CPU or a device, `labels` (N,) int64, N keys; of `undecodable` only keys."""

    pixels: torch.Tensor
    labels: torch.Tensor
    keys: list[str]
    finish: DeviceTransform
    undecodable: tuple[str, ...] = ()

    @cached_property
    def images(self) -> torch.Tensor:
        """(N, C, H, W) float32 on the CPU, as the net sees them."""
        return self.on(_CPU)

    def on(self, device: torch.device, memory_format: torch.memory_format = torch.contiguous_format) -> torch.Tensor:
        """(N, C, H, W) float32 on `device`, as the net sees them: normalised and cut out there."""
        return self.finish(self.pixels, device, memory_format)


class Feed:
    """Training and evaluation batches of one recipe; open it with `open_feed`.

    `digest` names the data, `size` is the side of the input in pixels, `num_train` counts the samples that
    `data.holdout` and `data.train_fraction` leave; `eval` has those that are held out, if any are. With `world_size`
    > 1 each rank gets its share of every global batch, which may be empty; `opening` opens the share (rank, world
    size) of the same data, in another process too. Where `shared` is set, training batches come from the node's reader
    for as long as it serves them: the same ones. Where `device` is set and has room, the pixels of a split of one size
    that stays decoded are there, and its batches are made there.
    """

    opening: "Callable[[int, int], Feed]"
    shared: Client | None = None
    device: torch.device | None = None

    def __init__(
        self,
        recipe: Recipe,
        manifest: Manifest,
        size: int,
        splits: tuple[OpenSplit, OpenSplit],
        threads: int,
        ranks: tuple[int, int],
    ) -> None:
        self.train, self.eval = splits
        data, chosen = recipe.data, trained_on(self.train.index, recipe.data)
        self._recipe, self._threads, self.name = recipe, threads, manifest.name
        self.order = Order(self.train.index, chosen, data.shuffle_shards, data.batch_size, ranks)
        self.augmented = Augmented(self.train.rows, self.train.index, recipe.augment)
        self._colour = Colour.of(manifest, recipe.augment.normalise)
        self._undecodable = Undecodable(self.order, manifest.name, data.max_undecodable)
        self.digest = manifest.digest
        self.num_train, self.num_eval = len(chosen), len(self.eval.index)
        self.classes, self.num_classes = manifest.classes, len(manifest.classes)
        self.channels: int = manifest.channels
        self.size = size
        self.steps_per_epoch = self.num_train // data.batch_size
        check_fit(recipe, manifest, size, self.num_train)

    @property
    def eval_keys(self) -> list[str]:
        """The keys of the evaluation split, or of what is held out in its place, in the order of `evaluation`."""
        return list(self.eval.index.keys)

    @property
    def undecodable_keys(self) -> list[str]:
        """The training samples that did not decode so far."""
        return self._undecodable.keys

    def batches(self, order_seed: int, augment_seed: int, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The training batches of `epoch` from `start_step` on; the last, partial one is dropped.

        A sample that does not decode leaves its batch one shorter; `undecodable_keys` names those met so far. One of
        several ranks cannot know how many there are: whoever joins their batches asks `check_undecodable`.

        Raises:
            DataError: a damaged shard, or more undecodable samples in the epoch than `data.max_undecodable` allows.
        """
        met = self._undecodable.before(order_seed, epoch, start_step)
        asked = self._asked(Seeding(order_seed, augment_seed, epoch), start_step)
        for made in self._training().batches(asked):
            batch = self._batch(self.train, made, asked.draw(self.train.index, made.positions))
            if batch.undecodable:
                self._undecodable.add(made.undecodable.tolist())
                met += batch.undecodable
            if self.order.ranks[1] == 1 and (met or not batch.keys):
                self.check_undecodable(met, len(batch.keys))
            yield batch

    def check_undecodable(self, met: Sequence[str], left: int) -> None:
        """Raise DataError where `met`, the undecodable samples of an epoch so far, are more than
        `data.max_undecodable` allows, or none of a batch is `left`."""
        self._undecodable.check(met, left)

    def pixels(
        self, order_seed: int, augment_seed: int, epoch: int, start_step: int = 0, allocate: Allocate | None = None
    ) -> Iterator[PixelBatch]:
        """What `batches` is made of, before it goes to the device; `allocate` says where each step's pixels go."""
        asked = self._asked(Seeding(order_seed, augment_seed, epoch), start_step, allocate)
        return self._varied().batches(asked)

    def evaluation(self) -> Iterator[Batch]:
        """The evaluation split, every key once, in the order of `eval_keys` (of this rank's share).

        Raises:
            DataError: a damaged shard, a sample that does not decode, or a count that is not the manifest's.
        """
        size, rows = self._recipe.data.eval_batch_size, np.arange(self.num_eval, dtype=np.int32)
        parts = [share(rows[start : start + size], *self.order.ranks) for start in range(0, self.num_eval, size)]
        source = self._on_device(self.eval) or self._loader(self.eval, self.eval.rows)
        seen = 0
        for made in source.batches(Asked(lambda _: parts)):
            batch = self._batch(self.eval, made, None)
            if batch.undecodable:
                raise DataError(told(batch.undecodable, self.name, "evaluation allows none"))
            seen += len(batch.keys)
            if batch.keys:
                yield batch
        expected = sum(map(len, parts))
        if seen != expected:
            raise DataError(f"evaluation of {self.name} saw {seen} of {expected} samples")

    def augmented_batch(self, images: Pixels, rows: Positions, seeding: Seeding) -> Batch:
        """The batch of training images that were viewed or cropped, but not yet padded, flipped or transformed."""
        draw = Draw(self.train.index.ids[rows], seeding.augment, seeding.epoch)
        pixels = torch.from_numpy(self.augmented.finished(images, draw))
        return self._batch(self.train, PixelBatch(pixels, rows, rows[:0]), draw)

    @property
    def cache_choice(self) -> dict[str, CacheChoice]:
        """Where the decoded pixels of each split are, and why; on the device once they were asked for."""
        return {split.name: split.where for split in (self.train, self.eval)}

    def bottleneck(self, share: float) -> str:
        """What holds up training that waits for data a `share` of its time, and what to change."""
        data = self._recipe.data
        if self.shared is not None and self.shared.num_shared:
            return SHARED_ADVICE.format(share=share)
        times = self.train.reader.input_times
        return times.advice(share, self._recipe.resources.cpus, self._threads, data.shards or data.name)

    def _asked(self, seeding: Seeding, start_step: int, allocate: Allocate | None = None) -> Asked:
        return Asked(lambda step: self.order.steps(seeding.order, seeding.epoch, step), start_step, seeding, allocate)

    def _training(self) -> PixelSource:
        """On the device, else from the node's reader, else made here."""
        source: PixelSource | None = None if is_transformed(self._recipe.augment) else self._on_device(self.train)
        if source is None:
            source = self._varied()
            source = source if self.shared is None else Shared(source, self.shared, self.steps_per_epoch)
        return source

    def _varied(self) -> Loader:
        """The training images as they are varied; what varies nothing is left out."""
        return self._loader(self.train, self.augmented if self.augmented.changes else self.train.rows)

    def _loader(self, split: OpenSplit, rows: RowSource) -> Loader:
        return Loader(
            rows=rows,
            index=split.index,
            shape=(self.size, self.size, self.channels),
            threads=self._threads,
            input_times=self.train.reader.input_times,
            device=self.device,
        )

    def _on_device(self, split: OpenSplit) -> OnDevice | None:
        held = None if self.device is None else split.upload.to(self.device, self._recipe.resources.gpus)
        if held is None:
            return None
        return OnDevice(held, split.index, self._recipe.augment, self.train.reader.input_times)

    def _batch(self, split: OpenSplit, made: PixelBatch, draw: Draw | None) -> Batch:
        index, rows = split.index, made.positions.tolist()
        return Batch(
            pixels=made.pixels,
            labels=torch.from_numpy(index.labels[made.positions].astype(np.int64)),
            keys=[index.keys[row] for row in rows],
            undecodable=tuple(index.keys[row] for row in made.undecodable.tolist()),
            finish=DeviceTransform(self._colour, self._recipe.augment, draw, self.train.reader.input_times),
        )
