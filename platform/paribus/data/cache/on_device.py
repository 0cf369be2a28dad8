"""A split of one size whose pixels lie on the device that trains: batches are gathered, cropped and mirrored there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray

from paribus.data.augment import Draw, mirrored, pad_offsets
from paribus.data.cache.cached_split import Cached
from paribus.data.pixel_source import Asked, PixelBatch, Positions
from paribus.recipe.data import Augment
from paribus.shards.index import Index
from paribus.shards.input_times import InputTimes

# Of the device's free memory, for each split; the rest is for nets. Trials that share a device share this, too.
SHARE = 0.25
_PIECE_BYTES = 64 << 20


# Not frozen, and compared by identity: the feeds of a process hold one and the same, and the last of them lets it go.
@dataclass(eq=False)
class DeviceSplit:
    """`images` (N, H, W, C) uint8 on a device, in index order; `decoded` (N,) bool, on the host."""

    images: torch.Tensor
    decoded: NDArray[np.bool_]

    def views(self, rows: Positions) -> torch.Tensor:
        """(n, H, W, C) the images at `rows` as they are."""
        return self.images.index_select(0, self._there(rows))

    def varied(self, rows: Positions, augment: Augment, draw: Draw) -> torch.Tensor:
        """(n, H, W, C) the images at `rows` after pad-crop and flip, to the bit what `augment.varied` makes of them."""
        _, height, width, _ = self.images.shape
        pad = augment.pad if augment.crop == "pad" else 0
        top, left = pad_offsets(pad, draw)
        flips = mirrored(draw) if augment.flip else np.zeros(len(rows), bool)
        # One transfer instead of four.
        numbers = self._there(np.stack([rows, top - pad, left - pad, flips]))
        place, top_there, left_there, flips_there = numbers[:, :, None].unbind()
        lines = _reflected(top_there + self._range(height), height)
        columns = self._range(width)
        columns = _reflected(left_there + torch.where(flips_there > 0, columns.flip(0), columns), width)
        return self.images[place[:, :, None], lines[:, :, None], columns[:, None, :]]

    def _range(self, length: int) -> torch.Tensor:
        return torch.arange(length, device=self.images.device)

    def _there(self, numbers: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(numbers.astype(np.int64)).to(self.images.device, non_blocking=True)


_held: WeakValueDictionary[tuple[str, str], DeviceSplit] = WeakValueDictionary()


@dataclass(frozen=True)
class OnDevice:
    """A source of batches that are gathered from `split` where it lies, and varied there as `augment` says."""

    split: DeviceSplit
    index: Index
    augment: Augment
    input_times: InputTimes

    def batches(self, asked: Asked) -> Iterator[PixelBatch]:
        """A batch a step, in turn; those who do not decode are left out of it."""
        for positions in asked.rows:
            good = self.split.decoded[positions]
            kept = positions[good]
            draw = asked.draw(self.index, kept)
            if draw is None:
                pixels = self.split.views(kept)
            else:
                with self.input_times.timing("copy"):
                    pixels = self.split.varied(kept, self.augment, draw)
            yield PixelBatch(pixels, kept, positions[~good])


@dataclass
class Upload:
    """What of a split is kept, and whether it is on a device, for as long as this lives: decided when first asked."""

    cached: Cached | None
    split: DeviceSplit | None = None
    is_decided: bool = False

    def to(self, device: torch.device, gpus: float) -> DeviceSplit | None:
        """The split on `device`; None where `on_device` gives none."""
        if not self.is_decided:
            self.split = None if self.cached is None else on_device(self.cached, device, gpus)
            self.is_decided = True
        return self.split


def on_device(cached: Cached, device: torch.device, gpus: float) -> DeviceSplit | None:
    """The split that is kept, on `device`: uploaded once per process, for as long as anything holds it.

    None where it keeps no images of one size, or they need more of a GPU than a trial on `gpus` of one may take.
    """
    if cached.images is None:
        return None
    if device.type == "cuda":
        device = torch.device("cuda", torch.cuda.current_device())
    key = (str(cached.folder), str(device))
    held = _held.get(key)
    if held is None:
        if device.type == "cuda" and cached.images.nbytes > SHARE * min(gpus, 1.0) * torch.cuda.mem_get_info(device)[0]:
            return None
        held = DeviceSplit(_uploaded(cached.images, device), cached.decoded)
        _held[key] = held
    return held


def _uploaded(images: NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    # In pieces: a copy of the whole beside the file would take the memory twice.
    there = torch.empty(images.shape, dtype=torch.uint8, device=device)
    step = max(1, _PIECE_BYTES // max(1, images[0].nbytes))
    for start in range(0, len(images), step):
        there[start : start + step].copy_(torch.from_numpy(images[start : start + step].copy()))
    return there


def _reflected(places: torch.Tensor, length: int) -> torch.Tensor:
    """Places beyond 0 and `length` - 1 mirrored at the border, which itself is not repeated."""
    return length - 1 - (length - 1 - places.abs()).abs()
