"""The last stage of a batch, on the device that trains: from uint8 to what the net sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from paribus.data.augment import Draw
from paribus.data.transforms import erased
from paribus.recipe.components.component import arguments_of, kind_of
from paribus.recipe.data import Augment
from paribus.shards.input_times import InputTimes
from paribus.shards.manifest import Manifest

_MOST_ERASED_ASPECT = 1 / 0.3


@dataclass(frozen=True)
class Colour:
    """Per-channel mean and sd over the train split, (C,) in units of full white."""

    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    normalise: bool

    @classmethod
    def of(cls, manifest: Manifest, normalise: bool) -> "Colour":
        """Those of the manifest."""
        return cls(np.array(manifest.mean), np.array(manifest.sd), normalise)

    def scaled(self, images: torch.Tensor) -> torch.Tensor:
        """float32 of (N, C, H, W) uint8 on any device: mean 0, sd 1 per channel; 0 to 1 where not `normalise`."""
        floats = images.to(torch.float32)
        if not self.normalise:
            return floats.mul_(1 / 255)
        floats.sub_(_channels(255 * self.mean, floats.device))
        return floats.mul_(_channels(1 / (255 * self.sd), floats.device))

    @property
    def grey(self) -> NDArray[np.float64]:
        """(C,) the mean of the train split as `scaled` gives it."""
        return 0 * self.mean if self.normalise else self.mean


@dataclass(frozen=True)
class DeviceTransform:
    """How the pixels of a batch become the input of a net; `draw` where training images are varied, else None."""

    colour: Colour
    augment: Augment
    draw: Draw | None
    input_times: InputTimes

    def __call__(self, pixels: torch.Tensor, device: torch.device, memory_format: torch.memory_format) -> torch.Tensor:
        """(N, C, H, W) float32 on `device` of (N, H, W, C) uint8."""
        with self.input_times.timing("copy"):
            return self._finished(pixels, device, memory_format)

    def _finished(self, pixels: torch.Tensor, device: torch.device, memory_format: torch.memory_format) -> torch.Tensor:
        images = pixels.to(device, non_blocking=True).permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
        floats = self.colour.scaled(images)
        if self.draw is None:
            return floats
        if self.augment.cutout:
            floats = cut_out(floats, self.augment.cutout, self.colour.grey, self.draw)
        if self.augment.erasing == "none":
            return floats
        if kind_of(self.augment.erasing) == "random_erasing":
            return erase(floats, arguments_of(self.augment.erasing), self.colour.grey, self.draw)
        return erased(floats, self.augment, self.draw)


def cut_out(images: torch.Tensor, side: int, fill: NDArray[np.float64], draw: Draw) -> torch.Tensor:
    """`images` with a square of `side` pixels, centred anywhere and clipped at the border, set to `fill` (C,).

    (DeVries and Taylor 2017, arXiv 1708.04552, section 3.2.)
    """
    height, width = images.shape[2:]
    inside = _band(draw.integers(height, "cutout row"), height, side, images.device)[:, :, None]
    inside = inside & _band(draw.integers(width, "cutout column"), width, side, images.device)[:, None, :]
    return torch.where(inside[:, None], _channels(fill, images.device), images)


def erase(images: torch.Tensor, chosen: Mapping[str, Any], fill: NDArray[np.float64], draw: Draw) -> torch.Tensor:
    """`images` of which some have a box set to `fill` (C,); `chosen` are the arguments of `random_erasing`.

    (Zhong et al. 2020, arXiv 1708.04896, algorithm 1; a box that is too long is cut to the image's side.)
    """
    height, width = images.shape[2:]
    area = chosen["min_area"] + (chosen["max_area"] - chosen["min_area"]) * draw.uniforms("erasing area")
    aspect = _MOST_ERASED_ASPECT ** (2 * draw.uniforms("erasing aspect") - 1)
    chosen_rows = draw.uniforms("erasing") < chosen["probability"]
    inside = torch.from_numpy(chosen_rows).to(images.device)[:, None, None]
    for length, ratio, purpose, at in ((height, aspect, "row", 2), (width, 1 / aspect, "column", 1)):
        sides = np.minimum(length, np.rint(np.sqrt(area * height * width * ratio)).astype(np.int64))
        first = (draw.uniforms(f"erasing {purpose}") * (length - sides + 1)).astype(np.int64)
        offset = torch.arange(length, device=images.device) - torch.from_numpy(first).to(images.device)[:, None]
        band = (offset >= 0) & (offset < torch.from_numpy(sides).to(images.device)[:, None])
        inside = inside & band.unsqueeze(at)
    return torch.where(inside[:, None], _channels(fill, images.device), images)


def _band(centre: NDArray[np.int64], length: int, side: int, device: torch.device) -> torch.Tensor:
    offset = torch.arange(length, device=device) - (torch.from_numpy(centre).to(device)[:, None] - side // 2)
    return (offset >= 0) & (offset < side)


def _channels(values: NDArray[np.float64], device: torch.device) -> torch.Tensor:
    """(C, 1, 1) float32."""
    return torch.from_numpy(values.astype(np.float32)).to(device)[:, None, None]
