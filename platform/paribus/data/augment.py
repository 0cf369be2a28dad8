"""Random variation of training images, each sample's drawn from (augment seed, epoch, sample key) alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.images.decode import Pixels
from paribus.recipe.data import Augment
from paribus.shards.counters import Ids, integers, uniforms

_ATTEMPTS = 10
_MAX_ASPECT = 4 / 3


@dataclass(frozen=True)
class Draw:
    """Where the random numbers of a batch come from: `ids` (N,) uint64 of its keys, the augment seed and the epoch."""

    ids: Ids
    seed: int
    epoch: int

    def uniforms(self, purpose: str) -> NDArray[np.float64]:
        """(N,) float64 in [0, 1)."""
        return uniforms(self.ids, purpose, self.seed, self.epoch)

    def integers(self, bound: int, purpose: str) -> NDArray[np.int64]:
        """(N,) int64 in 0 to `bound` - 1."""
        return integers(self.ids, bound, purpose, self.seed, self.epoch)


def varied(images: Pixels, augment: Augment, draw: Draw) -> Pixels:
    """(N, H, W, C) uint8 after pad-crop and flip, as `augment` says; a random resized crop has happened before."""
    if augment.crop == "pad":
        images = pad_crop(images, augment.pad, draw)
    return flip(images, draw) if augment.flip else images


def pad_crop(images: Pixels, pad: int, draw: Draw) -> Pixels:
    """Reflect-pad by `pad` pixels, then cut the old size out at a random place (WRN, section 3)."""
    num, height, width, channels = images.shape
    # Rows of width * C bytes, so that a crop copies few long pieces.
    padded = _reflected(images, pad).reshape(num, height + 2 * pad, (width + 2 * pad) * channels)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width * channels), axis=(1, 2))
    top, left = pad_offsets(pad, draw)
    cropped: Pixels = windows[np.arange(num), top, left * channels].reshape(images.shape)
    return cropped


def pad_offsets(pad: int, draw: Draw) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) top and left, 0 to 2 `pad`, of what is cut out of images padded by `pad`."""
    return draw.integers(2 * pad + 1, "crop row"), draw.integers(2 * pad + 1, "crop column")


def flip(images: Pixels, draw: Draw) -> Pixels:
    """Mirror left and right with probability 1/2."""
    chosen = mirrored(draw)
    flipped = images.copy()
    _whole(flipped)[chosen] = _whole(images)[chosen][:, :, ::-1]
    return flipped


def mirrored(draw: Draw) -> NDArray[np.bool_]:
    """(N,) which images are mirrored left and right."""
    return draw.uniforms("flip") < 0.5


def crop_boxes(
    heights: NDArray[np.int64], widths: NDArray[np.int64], min_area: float, draw: Draw
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(N,) top, left, height and width of random boxes of `min_area` to all of the area, aspect 3/4 to 4/3.

    (Inception-v1, section 6; the aspect is log-uniform and ten boxes are tried, then the largest central box of an
    allowed aspect is taken, as in fb.resnet.torch and torchvision.)
    """
    box_h, box_w, found = np.zeros_like(heights), np.zeros_like(widths), np.zeros(len(heights), bool)
    for attempt in range(_ATTEMPTS):
        area = heights * widths * (min_area + (1 - min_area) * draw.uniforms(f"area {attempt}"))
        aspect = _MAX_ASPECT ** (2 * draw.uniforms(f"aspect {attempt}") - 1)
        h, w = np.rint(np.sqrt(area / aspect)).astype(np.int64), np.rint(np.sqrt(area * aspect)).astype(np.int64)
        take = ~found & (h >= 1) & (w >= 1) & (h <= heights) & (w <= widths)
        box_h, box_w, found = np.where(take, h, box_h), np.where(take, w, box_w), found | take
        if found.all():
            break
    box_h = np.where(found, box_h, np.minimum(heights, np.rint(widths * _MAX_ASPECT).astype(np.int64)))
    box_w = np.where(found, box_w, np.minimum(widths, np.rint(heights * _MAX_ASPECT).astype(np.int64)))
    free_h, free_w = heights - box_h, widths - box_w
    top = np.where(found, (draw.uniforms("box row") * (free_h + 1)).astype(np.int64), free_h // 2)
    left = np.where(found, (draw.uniforms("box column") * (free_w + 1)).astype(np.int64), free_w // 2)
    return top, left, box_h, box_w


def _reflected(images: Pixels, pad: int) -> Pixels:
    """(N, H + 2 pad, W + 2 pad, C); the border pixel itself is not repeated, as in torch's ReflectionPad2d."""
    num, height, width, channels = images.shape
    padded = np.empty((num, height + 2 * pad, width + 2 * pad, channels), np.uint8)
    padded[:, pad:-pad, pad:-pad] = images
    pixels = _whole(padded)
    # Columns of the middle rows first: the rows above and below then mirror whole lines, corners included.
    middle = pixels[:, pad:-pad]
    middle[:, :, :pad] = middle[:, :, 2 * pad : pad : -1]
    middle[:, :, -pad:] = middle[:, :, -pad - 2 : -2 * pad - 2 : -1]
    padded[:, :pad] = padded[:, 2 * pad : pad : -1]
    padded[:, -pad:] = padded[:, -pad - 2 : -2 * pad - 2 : -1]
    return padded


def _whole(images: Pixels) -> NDArray[np.void]:
    """(N, H, W) of the same memory, a pixel an item: NumPy mirrors items ten times faster than runs of three bytes."""
    return images.view(np.dtype((np.void, images.shape[3])))[..., 0]
