"""Bilinear resampling with antialiasing of a box of pixels, written in place.

The same definition as Pillow's and torchvision's, in torch's vectorised 8-bit arithmetic: at most 1 of 255 from Pillow,
and the same on every instruction set.
"""

from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from paribus.data.header import TURNS

Pixels = NDArray[np.uint8]
# What `torch.nn.functional.interpolate` calls; that writes into no tensor of ours, and takes no size beside a scale.
_RESIZE = torch.ops.aten._upsample_bilinear2d_aa
# In outputs: how near the grid must come, and how far ahead of the box that is looked for.
_PHASE, _MAX_LEAD = 1 / 5, 8


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


def resample(
    pixels: Pixels, rows: Axis, columns: Axis, out: Pixels, *, orientation: int = 1, flip: bool = False
) -> None:
    """Write the box of (H, W, C) pixels into `out`, turned upright (EXIF), then mirrored left and right where `flip`.

    torch's team of threads must be one in a thread that shares its cores: `torch.set_num_threads(1)`.
    """
    box = pixels[rows.start : rows.stop, columns.start : columns.stop]
    target = _batch(out)
    height, width = out.shape[:2]
    if rows.scale is None or columns.scale is None:
        # Turning the box costs less than turning what comes of it, and both are one copy.
        turned = _turned(_batch(box), orientation, flip) if flip or orientation > 1 else _batch(box.copy())
        _RESIZE.out(turned.contiguous(memory_format=torch.channels_last), (height, width), False, out=target)
        return
    if orientation >= 5:
        height, width = width, height
    size = rows.lead + height, columns.lead + width
    resized = _RESIZE(_batch(box.copy()), size, False, 1 / rows.scale, 1 / columns.scale)
    target.copy_(_turned(resized[:, :, rows.lead :, columns.lead :], orientation, flip))


def _batch(pixels: Pixels) -> torch.Tensor:
    """(1, C, H, W) of the same memory; the batch's axis is made first, as with another stride torch is half as fast."""
    # torch warns of memory that it must not write; nothing here writes to a source.
    writeable = pixels if pixels.flags.writeable else pixels.copy()
    return torch.from_numpy(writeable[np.newaxis]).permute(0, 3, 1, 2)


def _turned(images: torch.Tensor, orientation: int, flip: bool) -> torch.Tensor:
    reverse_rows, reverse_columns, transpose = TURNS[orientation]
    if flip:
        reverse_rows, reverse_columns = reverse_rows ^ transpose, reverse_columns ^ (not transpose)
    dims = [2] * reverse_rows + [3] * reverse_columns
    images = images.flip(dims) if dims else images
    return images.transpose(2, 3) if transpose else images
