"""Bilinear resampling with antialiasing of a box of pixels, written in place.

The same definition as Pillow's and torchvision's, in torch's vectorised 8-bit arithmetic: at most 1 of 255 from Pillow,
and the same on every instruction set.
"""

from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from paribus.images.header import TURNS

Pixels = NDArray[np.uint8]
# What `torch.nn.functional.interpolate` calls; that writes into no tensor of ours, and takes no size beside a scale.
_RESIZE = torch.ops.aten._upsample_bilinear2d_aa.default
_RESIZE_INTO = torch.ops.aten._upsample_bilinear2d_aa.out
# In outputs: how near the grid must come, and how far ahead of the box that is looked for.
_PHASE, _MAX_LEAD = 1 / 5, 8


class Axis(NamedTuple):
    """One axis of a box in an image decoded at a smaller scale: where its outputs lie, between decoded pixels too.

    Decoded pixels `start` to `stop` are read, `scale` of them an output, and the first `lead` outputs are left out.
    """

    start: int
    stop: int
    lead: int
    scale: float


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


def resample(box: Pixels, out: Pixels, *, orientation: int = 1, flip: bool = False) -> None:
    """Write `box` (H, W, C) into `out`, turned upright (EXIF `orientation`), then mirrored left and right where `flip`.

    torch's team of threads must be one in a thread that shares its cores: `torch.set_num_threads(1)`.
    """
    if flip or orientation > 1:
        # Turning the box costs less than turning what comes of it, as both are one copy.
        images = _turned(_batch(box), orientation, flip).contiguous(memory_format=torch.channels_last)
    else:
        images = _batch(box.copy())
    _RESIZE_INTO(images, out.shape[:2], False, out=_batch(out))


def resample_scaled(
    pixels: Pixels, rows: Axis, columns: Axis, out: Pixels, *, orientation: int = 1, flip: bool = False
) -> None:
    """As `resample`, of a box that may lie between the pixels of a decoded image (H, W, C)."""
    box = _batch(pixels[rows.start : rows.stop, columns.start : columns.stop].copy())
    height, width = out.shape[1::-1] if TURNS[orientation][2] else out.shape[:2]
    size = rows.lead + height, columns.lead + width
    resized = _RESIZE(box, size, False, 1 / rows.scale, 1 / columns.scale)[:, :, rows.lead :, columns.lead :]
    _batch(out).copy_(_turned(resized, orientation, flip))


def _batch(pixels: Pixels) -> torch.Tensor:
    """(1, C, H, W) of the same memory; the batch's axis is made first, as with another stride torch is half as fast."""
    # torch warns of memory that it must not write; nothing here writes to a source.
    writeable = pixels if pixels.flags.writeable else pixels.copy()
    return torch.from_numpy(writeable[np.newaxis].transpose(0, 3, 1, 2))


def _turned(images: torch.Tensor, orientation: int, flip: bool) -> torch.Tensor:
    reverse_rows, reverse_columns, transpose = TURNS[orientation]
    if flip:
        reverse_rows, reverse_columns = reverse_rows ^ transpose, reverse_columns ^ (not transpose)
    dims = [2] * reverse_rows + [3] * reverse_columns
    images = images.flip(dims) if dims else images
    return images.transpose(2, 3) if transpose else images
