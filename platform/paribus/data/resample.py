"""Bilinear resampling with antialiasing of a box of pixels, written in place.

The same definition as Pillow's and torchvision's, in torch's vectorised 8-bit arithmetic: at most 1 of 255 from Pillow,
and the same on every instruction set.
"""

from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from paribus.data.header import TURNS

Pixels = NDArray[np.uint8]
# In outputs: how near the grid must come, and how far ahead of the box that is looked for.
_PHASE, _MAX_LEAD = 1 / 5, 8
# Against floor(n * (1 / scale)) one short of n, the number of outputs.
_ROUNDING = 1 + 1e-9


class Axis(NamedTuple):
    """One axis of a box on decoded pixels: `start` to `stop` are read, the first `lead` outputs are left out.

    `scale` is in decoded pixels per output; None where the box is whole pixels and every output is kept.
    """

    start: int
    stop: int
    lead: int = 0
    scale: float | None = None


def scaled_axis(start: int, length: int, eighths: int, num: int) -> Axis | None:
    """`num` outputs for the box of `length` pixels from `start` of an image decoded at `eighths`/8, or None.

    The resampler begins at a whole decoded pixel, and the box may begin between two. So the outputs begin up to eight
    earlier, where their grid comes within 1/5 of an output of a whole decoded pixel (None if it never does); the scale
    takes up the rest, so that the box ends where it should.
    """
    begin, end = start * eighths / 8, (start + length) * eighths / 8
    scale = (end - begin) / num
    leads = [(lead, begin - lead * scale) for lead in range(_MAX_LEAD + 1) if begin >= lead * scale]
    lead, near = min(leads, key=lambda pair: abs(pair[1] - round(pair[1])))
    first = round(near)
    if abs(near - first) > _PHASE * scale:
        return None
    return Axis(first, ceil(end), lead, (end - first) / (lead + num))


def resample(pixels: Pixels, rows: Axis, columns: Axis, size: tuple[int, int]) -> torch.Tensor:
    """(1, C, `size`) uint8 in NHWC memory, from (H, W, C)."""
    box = pixels[rows.start : rows.stop, columns.start : columns.stop].copy()
    # The batch's axis must come first: with another stride torch takes its slow path.
    images = torch.from_numpy(box)[None].permute(0, 3, 1, 2)
    if rows.scale is None or columns.scale is None:
        return interpolate(images, size, mode="bilinear", antialias=True)
    factors = (_ROUNDING / rows.scale, _ROUNDING / columns.scale)
    grid = interpolate(images, scale_factor=factors, mode="bilinear", antialias=True)
    return grid[:, :, rows.lead : rows.lead + size[0], columns.lead : columns.lead + size[1]]


def put(images: torch.Tensor, out: Pixels, orientation: int = 1, flip: bool = False) -> None:
    """Write (1, C, H, W) into `out`, turned upright (EXIF `orientation`), then mirrored left and right where `flip`."""
    reverse_rows, reverse_columns, transpose = TURNS[orientation]
    if flip:
        reverse_rows, reverse_columns = reverse_rows ^ transpose, reverse_columns ^ (not transpose)
    dims = [2] * reverse_rows + [3] * reverse_columns
    if dims:
        images = images.flip(dims)
    if transpose:
        images = images.transpose(2, 3)
    torch.from_numpy(out)[None].permute(0, 3, 1, 2).copy_(images)
