"""The data of a recipe as batches, each a pure function of the data, order seed, augment seed, epoch and step."""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.dlpack import from_dlpack

from paribus.data.augment import Draw, crop_boxes, mirrored, varied
from paribus.data.cache.choice import CacheChoice
from paribus.data.cache.on_device import DeviceSplit, on_device
from paribus.data.device_transform import Colour, DeviceTransform
from paribus.data.order import epoch_order, share, steps_of
from paribus.data.own_stages import OwnStage, Staged
from paribus.data.pixel_source import Crops, PixelSource, Positions, Viewing, in_order
from paribus.data.sharing.client import Client
from paribus.data.transforms import is_transformed, transformed
from paribus.errors import DataError
from paribus.images.decode import Pixels
from paribus.recipe.recipe import Recipe
from paribus.shards.catalog import check_fit
from paribus.shards.fraction import choose
from paribus.shards.index import Index
from paribus.shards.input_times import SHARED_ADVICE, InputTimes
from paribus.shards.manifest import Manifest
from paribus.shards.reading import ShardReader

_NAMED = 5
# What a thread does at a time, at least: enough to hide what a batch costs however small it is.
_PIECE_IMAGES, _PIECE_BYTES = 32, 1 << 20
_CPU = torch.device("cpu")
# Where the pixels of a step go: a function of the 0-based step, giving (B, H, W, C) uint8.
Allocate = Callable[[int], Pixels]


@dataclass(frozen=True)
class PixelBatch:
    """Decoded, cropped, flipped: `images` (N, H, W, C) uint8 of rows `positions` of the index; `undecodable` rows."""

    images: Pixels
    positions: Positions
    undecodable: Positions


@dataclass(frozen=True)
class _Loaded:
    """A `PixelBatch` whose `pixels` (N, H, W, C) uint8 may be on a device."""

    pixels: torch.Tensor
    positions: Positions
    undecodable: Positions

    @classmethod
    def of(cls, batch: PixelBatch) -> "_Loaded":
        # from_numpy warns of memory that may only be read.
        return cls(from_dlpack(batch.images), batch.positions, batch.undecodable)


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


@dataclass(frozen=True)
class Reading:
    """How the images of a split are read where none stay: the shards, the view, and stages of the user's."""

    reader: ShardReader
    viewing: Viewing
    own: tuple[OwnStage, ...] = ()


@dataclass(frozen=True)
class Part:
    """One split, ready to be read; `input_times` keeps the time that its reader takes."""

    index: Index
    pixel_source: PixelSource
    input_times: InputTimes
    cache_choice: CacheChoice
    reading: Reading


class Feed:
    """Training and evaluation batches of one recipe; open it with `open_feed`.

    `digest` names the data, `size` is the side of the input in pixels, `num_train` counts the samples chosen by
    `data.train_fraction`. With `world_size` > 1 each rank gets its share of every global batch, which may be empty;
    `opening` opens the share (rank, world size) of the same data, in another process too. Where `shared` is set,
    training batches come from the node's reader for as long as it serves them: the same ones. Where `device` is set and
    has room, the pixels of a split of one size that stays decoded are there, and its batches are made there.
    """

    opening: "Callable[[int, int], Feed]"
    shared: Client | None = None
    device: torch.device | None = None

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
        self._colour = Colour.of(manifest, recipe.augment.normalise)
        self._undecodable: set[int] = set()
        self._uploads: dict[int, DeviceSplit | None] = {}
        self._input_times = self._train.input_times
        self.digest = manifest.digest
        self.num_train, self.num_eval = len(self._chosen), len(self._eval.index)
        self.classes, self.num_classes = manifest.classes, len(manifest.classes)
        self.channels: int = manifest.channels
        self.size = size
        self.steps_per_epoch = self.num_train // recipe.data.batch_size
        check_fit(recipe, manifest, size, self.num_train)

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

        A sample that does not decode leaves its batch one shorter; `undecodable_keys` names those met so far. One of
        several ranks cannot know how many there are: whoever joins their batches asks `check_undecodable`.

        Raises:
            DataError: a damaged shard, or more undecodable samples in the epoch than `data.max_undecodable` allows.
        """
        met = self._undecodable_before(order_seed, epoch, start_step)
        for loaded in self._loaded(order_seed, augment_seed, epoch, start_step):
            draw = Draw(self._train.index.ids[loaded.positions], augment_seed, epoch)
            batch = self._batch(self._train.index, loaded, draw)
            self._undecodable.update(loaded.undecodable.tolist())
            met += batch.undecodable
            if self._ranks[1] == 1:
                self.check_undecodable(met, len(batch.keys))
            yield batch

    def _loaded(self, order_seed: int, augment_seed: int, epoch: int, step: int) -> Iterator[_Loaded]:
        held = self._on_device(self._train)
        if held is None:
            yield from map(_Loaded.of, self._shared_or_own(order_seed, augment_seed, epoch, step))
            return
        for positions in self.positions(order_seed, epoch, step):
            good = held.decoded[positions]
            kept = positions[good]
            draw = Draw(self._train.index.ids[kept], augment_seed, epoch)
            with self._input_times.timing("copy"):
                pixels = held.varied(kept, self._recipe.augment, draw)
            yield _Loaded(pixels, kept, positions[~good])

    def _on_device(self, part: Part) -> DeviceSplit | None:
        """The split on the device, from the first epoch that asks for it until this feed goes."""
        if self.device is None or (part is self._train and is_transformed(self._recipe.augment)):
            return None  # transforms of single images run on the host
        if id(part) not in self._uploads:
            self._uploads[id(part)] = on_device(part.pixel_source, self.device, self._recipe.resources.gpus)
        return self._uploads[id(part)]

    def _shared_or_own(self, order_seed: int, augment_seed: int, epoch: int, step: int) -> Iterator[PixelBatch]:
        if self.shared is None:
            yield from self.pixels(order_seed, augment_seed, epoch, step)
            return
        with closing(self.shared.pixels(order_seed, augment_seed, epoch, step)) as handed:
            for batch in handed:
                step += 1
                yield PixelBatch(batch.images, batch.positions, batch.undecodable)
        if step < self.steps_per_epoch:
            for own in self.pixels(order_seed, augment_seed, epoch, step):
                self.shared.alone(epoch, step)
                step += 1
                yield own

    def check_undecodable(self, met: Sequence[str], left: int) -> None:
        """Raise DataError where `met`, the undecodable samples of an epoch so far, are more than
        `data.max_undecodable` allows, or none of a batch is `left`."""
        # Counted epoch by epoch, so that whether a trial fails does not depend on what the feed served before.
        allowed = self._recipe.data.max_undecodable * self.num_train
        if len(met) > allowed:
            limit = f"data.max_undecodable allows {int(allowed)} of {self.num_train}"
            raise DataError(self._undecodable_text(met, limit))
        if not left:
            raise DataError(self._undecodable_text(met, "nothing is left of their batch"))

    def pixels(
        self, order_seed: int, augment_seed: int, epoch: int, start_step: int = 0, allocate: Allocate | None = None
    ) -> Iterator[PixelBatch]:
        """What `batches` is made of, before it goes to the device; `allocate` says where each step's pixels go."""
        parts = self.positions(order_seed, epoch, start_step)
        fill = partial(self._varied, augment_seed, epoch)
        return self._loads(self._train, range(start_step, self.steps_per_epoch), parts, fill, allocate)

    def _undecodable_before(self, order_seed: int, epoch: int, step: int) -> list[str]:
        """The samples of the epoch's steps before `step` that did not decode when the shards were made: a trial that
        resumes there fails where one that never stopped does."""
        broken = self._train.index.rows["height"] == 0
        if step == 0 or not broken[self._chosen].any():
            return []
        order = epoch_order(self._train.index, self._chosen, self._recipe.data.shuffle_shards, order_seed, epoch)
        before = order[: step * self._recipe.data.batch_size]
        return [self._train.index.keys[row] for row in before[broken[before]].tolist()]

    def positions(self, order_seed: int, epoch: int, start_step: int) -> Positions:
        """(steps, n) the rows of this rank's share of each step."""
        order = epoch_order(self._train.index, self._chosen, self._recipe.data.shuffle_shards, order_seed, epoch)
        return steps_of(order, self._recipe.data.batch_size, start_step, *self._ranks)

    @property
    def cache_choice(self) -> dict[str, CacheChoice]:
        """Where the decoded pixels of each split are, and why; on the device once they were asked for."""
        data = self._recipe.data
        parts = {data.train_split: self._train, data.eval_split: self._eval}
        return {
            split: part.cache_choice
            if self._uploads.get(id(part)) is None
            else replace(part.cache_choice, kind="device")
            for split, part in parts.items()
        }

    def bottleneck(self, share: float) -> str:
        """What holds up training that waits for data a `share` of its time, and what to change."""
        data = self._recipe.data
        if self.shared is not None and self.shared.num_shared:
            return SHARED_ADVICE.format(share=share)
        return self._input_times.advice(share, self._recipe.resources.cpus, self._threads, data.shards or data.name)

    def evaluation(self) -> Iterator[Batch]:
        """The evaluation split, every key once, in the order of `eval_keys` (of this rank's share).

        Raises:
            DataError: a damaged shard, a sample that does not decode, or a count that is not the manifest's.
        """
        index = self._eval.index
        batch = self._recipe.data.eval_batch_size
        rows = np.arange(self.num_eval, dtype=np.int32)
        parts = [share(rows[start : start + batch], *self._ranks) for start in range(0, self.num_eval, batch)]
        seen = 0
        for loaded in self._viewed(parts):
            if len(loaded.undecodable):
                names = [index.keys[row] for row in loaded.undecodable.tolist()]
                raise DataError(self._undecodable_text(names, "evaluation allows none"))
            seen += len(loaded.positions)
            if len(loaded.positions):
                yield self._batch(index, loaded, None)
        expected = sum(map(len, parts))
        if seen != expected:
            raise DataError(f"evaluation of {self._manifest.name} saw {seen} of {expected} samples")

    def _viewed(self, parts: list[Positions]) -> Iterator[_Loaded]:
        """The evaluation images of each part."""
        held = self._on_device(self._eval)
        if held is None:
            yield from map(_Loaded.of, self._loads(self._eval, range(len(parts)), parts, self._plain, None))
            return
        for positions in parts:
            good = held.decoded[positions]
            yield _Loaded(held.views(positions[good]), positions[good], positions[~good])

    def _loads(
        self,
        part: Part,
        steps: range,
        parts: Sequence[Positions] | Positions,
        fill: Callable[[Positions, Pixels], NDArray[np.bool_]],
        allocate: Allocate | None,
    ) -> Iterator[PixelBatch]:
        shape = (self.size, self.size, self.channels)
        least = max(_PIECE_IMAGES, _PIECE_BYTES // math.prod(shape))
        begun: deque[tuple[Pixels, Positions]] = deque()

        def timed(positions: Positions, out: Pixels) -> NDArray[np.bool_]:
            with self._input_times.timing("decode"):
                return fill(positions, out)

        def jobs() -> Iterator[list[Callable[[], NDArray[np.bool_]]]]:
            for step, positions in zip(steps, parts, strict=True):
                out = self._buffer((len(positions), *shape)) if allocate is None else allocate(step)
                begun.append((out, positions))
                piece = max(least, -(-len(positions) // max(self._threads, 1)))
                starts = range(0, len(positions), piece)
                yield [partial(timed, positions[at : at + piece], out[at : at + piece]) for at in starts]

        ahead = part.pixel_source.ahead(np.concatenate(parts) if len(parts) else np.empty(0, np.int32))
        # Downloads are cancelled first, so that no thread has to wait for one before it ends.
        with closing(in_order(jobs(), self._threads)) as done, ahead:
            for good in done:
                yield _compact(*begun.popleft(), np.concatenate([np.empty(0, bool), *good]))

    def _buffer(self, shape: tuple[int, ...]) -> Pixels:
        """Memory for a batch. A GPU copies from pinned memory while the host goes on; torch keeps and reuses it."""
        if self.device is None or self.device.type != "cuda" or not torch.cuda.is_available():
            return np.empty(shape, np.uint8)
        pinned: Pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=True).numpy()
        return pinned

    def _plain(self, positions: Positions, out: Pixels) -> NDArray[np.bool_]:
        """Write the fixed views of the evaluation images at `positions` into `out`; which of them decoded."""
        return self._eval.pixel_source.fill(positions, out, None)

    def _varied(self, seed: int, epoch: int, positions: Positions, out: Pixels) -> NDArray[np.bool_]:
        """Write the training images at `positions`, cropped and flipped, into `out`; which of them decoded."""
        pixel_source = self._train.pixel_source
        draw = Draw(self._train.index.ids[positions], seed, epoch)
        if isinstance(pixel_source, Staged):
            pixel_source = pixel_source.drawing(draw)
        good = pixel_source.fill(positions, out, self.crops(positions, draw))
        if (images := self._augmented(out, draw)) is not out:
            out[:] = images
        return good

    def _augmented(self, images: Pixels, draw: Draw) -> Pixels:
        """Viewed or cropped training images, padded, flipped, and through the recipe's transforms; the same if none."""
        augment = self._recipe.augment
        if augment.crop == "pad" or (augment.flip and augment.crop != "random_resized"):
            images = varied(images, augment, draw)
        return transformed(images, augment, draw)

    def crops(self, positions: Positions, draw: Draw) -> Crops | None:
        """Where the training images at `positions` are cut, if they are cut from the stored ones."""
        augment = self._recipe.augment
        if augment.crop != "random_resized":
            return None
        rows = self._train.index.rows[positions]
        boxes = crop_boxes(rows["height"].astype(np.int64), rows["width"].astype(np.int64), augment.min_area, draw)
        flipped = mirrored(draw) if augment.flip else np.zeros(len(positions), bool)
        return Crops(np.stack(boxes, axis=1), flipped)

    @property
    def train_reading(self) -> Reading:
        """How the training images are read from the shards."""
        return self._train.reading

    def batch_of(self, loaded: PixelBatch, seed: int, epoch: int) -> Batch:
        """The batch of training images that were viewed or cropped, but not yet padded, flipped or transformed."""
        draw = Draw(self._train.index.ids[loaded.positions], seed, epoch)
        loaded = replace(loaded, images=self._augmented(loaded.images, draw))
        return self._batch(self._train.index, _Loaded.of(loaded), draw)

    def _batch(self, index: Index, loaded: _Loaded, draw: Draw | None) -> Batch:
        rows = loaded.positions.tolist()
        return Batch(
            pixels=loaded.pixels,
            labels=torch.from_numpy(index.labels[loaded.positions].astype(np.int64)),
            keys=[index.keys[row] for row in rows],
            undecodable=tuple(index.keys[row] for row in loaded.undecodable.tolist()),
            finish=DeviceTransform(self._colour, self._recipe.augment, draw, self._input_times),
        )

    def _undecodable_text(self, keys: Sequence[str], limit: str) -> str:
        names = ", ".join(keys[:_NAMED])
        more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
        return f"{len(keys)} samples of {self._manifest.name} do not decode ({names}{more}): {limit}"


def _compact(out: Pixels, positions: Positions, good: NDArray[np.bool_]) -> PixelBatch:
    """Without the images that did not decode; the others close ranks."""
    if good.all():
        return PixelBatch(out, positions, positions[:0])
    num = int(good.sum())
    out[:num] = out[good]
    return PixelBatch(out[:num], positions[good], positions[~good])
