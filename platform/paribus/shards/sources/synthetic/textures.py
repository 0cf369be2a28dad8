"""Pictures from a formula with the statistics of photographs: for every path that ImageNet takes, without ImageNet.

A picture is made of dead leaves (Lee, Mumford and Huang 2001, "Occlusion models for natural images"): shapes whose
radii follow r^-3 cover each other, so that edges, occlusion and a power spectrum near f^-2 (Field 1987) come at all
scales, and each leaf carries a texture of that spectrum. Hue, direction, form and length of most leaves are their
class's. A picture is a pure function of (seed, key, size): whole numbers and single roundings decide each pixel.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from paribus.images.decode import Pixels
from paribus.shards.counters import integers, keyed_hash, sample_ids, uniforms

MAX_CLASSES = 1024
QUALITY = 90
_NUM_LEAVES, _POINTS = 254, 16
# Side in pixels of the texture that all leaves are cut from; it has no seam.
_BANK = 1024
# Directions and hues are counted in 64ths of a turn.
_TURN = 64
_COSINE = np.rint(4096 * np.cos(2 * np.pi * np.arange(_TURN) / _TURN)).astype(np.int64)
_SINE = np.roll(_COSINE, _TURN // 4)
# Triangle, square, hexagon, circle; the same number of points each, some of them twice.
_CORNERS = np.array([np.arange(_POINTS) * corners // _POINTS * _TURN // corners for corners in (3, 4, 6, 16)])
_LENGTHS = np.array([5, 9])  # a leaf's half length, in quarters of its radius
_SMALLEST, _LARGEST = 1 / 80, 1 / 2  # radii, in short sides
_TYPICAL = 0.75  # share of the leaves that are their class's


@dataclass(frozen=True, kw_only=True)
class Look:
    """What makes a class: hue and direction in 64ths of a turn, and the numbers of a form and a length."""

    hue: int
    direction: int
    form: int
    length: int


def look(label: int) -> Look:
    """The look of class `label` (0 to 1023): 16 hues, 8 directions, 4 forms, 2 lengths, all pairs different."""
    # An odd step goes through all 1,024 before it repeats, and the first few differ in hue.
    place = label * 397 % MAX_CLASSES
    hue, rest = divmod(place, 64)
    direction, rest = divmod(rest, 8)
    # A half turn leaves most forms as they were.
    return Look(hue=4 * hue, direction=4 * direction, form=rest // 2, length=rest % 2)


def picture(seed: int, key: str, label: int, size: tuple[int, int]) -> Pixels:
    """(H, W, 3) uint8: the picture called `key`, of class `label`, in `size` (width, height)."""
    ids = np.add(sample_ids([key]), np.arange(_NUM_LEAVES + 1, dtype=np.uint64), dtype=np.uint64)
    leaves = _Leaves(ids, seed, look(label))
    covered = _covered(leaves, size)
    width, height = size
    down, across = np.ogrid[:height, :width]
    places = (down * _BANK + across + leaves.places.take(covered)) & (_BANK * _BANK - 1)
    texture = _bank().take(places) * leaves.contrasts.take(covered) >> 4
    pixels = leaves.colours.take(covered, axis=0)
    pixels += texture[..., None]
    shown: Pixels = pixels.clip(0, 255).astype(np.uint8)
    return shown


def jpeg(pixels: Pixels) -> bytes:
    """The bytes of a JPEG of quality 90 with halved colour, as most of ImageNet's are."""
    data: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), QUALITY, "RGB", "420")
    return data


class _Leaves:
    """The leaves of a picture, largest first, behind them the ground: its row, 0, has a colour and a texture too."""

    def __init__(self, ids: NDArray[np.uint64], seed: int, own: Look) -> None:
        def draw(what: str) -> NDArray[np.float64]:
            return uniforms(ids, "texture", seed, what)

        def turns(what: str, typical: int, spread: int) -> NDArray[np.int64]:
            near = typical + integers(ids, 2 * spread + 1, "texture", seed, what) - spread
            return np.where(is_own, near, integers(ids, _TURN, "texture", seed, what + " of others")) % _TURN

        is_own = draw("own") < _TYPICAL
        is_own[0] = True
        share = draw("radius")
        # Half of (the largest to the smallest) is drawn by quantiles of r^-3: the inverse of its distribution.
        self.radii = 1 / np.sqrt(share / _SMALLEST**2 + (1 - share) / _LARGEST**2)
        order = np.r_[0, 1 + np.argsort(-self.radii[1:], kind="stable")]
        self.radii = self.radii[order]
        self.x, self.y = draw("x")[order], draw("y")[order]
        self.directions = turns("direction", own.direction, 1)[order]
        other = integers(ids, 8, "texture", seed, "form of others")
        self.forms = np.where(is_own, own.form, other // 2)[order]
        self.lengths = np.where(is_own, own.length, other % 2)[order]
        hues, vivid, light = turns("hue", own.hue, 2), 20 + 60 * draw("vivid"), 45 + 160 * draw("light")
        # Red, green and blue a third of a turn apart.
        waves = _COSINE[(hues[:, None] - np.array([0, 21, 43])) % _TURN]
        self.colours = np.rint(light[:, None] + vivid[:, None] * waves / 4096).astype(np.int16)[order]
        self.contrasts = (6 + integers(ids, 16, "texture", seed, "contrast")).astype(np.int16)[order]
        self.places = (keyed_hash(ids, "texture", seed, "place") & np.uint64(_BANK * _BANK - 1)).astype(np.int32)[order]


def _covered(leaves: _Leaves, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W) the number of the leaf that is seen at each pixel."""
    width, height = size
    corners = _CORNERS[leaves.forms]
    radii = leaves.radii[:, None] * min(size)
    length = _LENGTHS[leaves.lengths][:, None]
    along, across = radii * _COSINE[corners] * length / 4, radii * _SINE[corners] * 4 / length
    cosine, sine = _COSINE[leaves.directions][:, None], _SINE[leaves.directions][:, None]
    x = leaves.x[:, None] * width + (along * cosine - across * sine) / 4096**2
    y = leaves.y[:, None] * height + (along * sine + across * cosine) / 4096**2
    points = np.rint(np.stack([x, y], axis=-1)).astype(np.int64).reshape(len(corners), -1)
    canvas = Image.new("L", size, 0)
    draw = ImageDraw.Draw(canvas)
    for number in range(1, len(points)):
        draw.polygon(points[number].tolist(), fill=number)
    return np.asarray(canvas)


@lru_cache(maxsize=1)
def _bank() -> NDArray[np.int16]:
    """(1024, 1024) noise of amplitude 1/f, sd 40 of 255, that repeats without a seam; made once a process."""
    noise = uniforms(np.arange(_BANK * _BANK, dtype=np.uint64), "texture bank").reshape(_BANK, _BANK) - 0.5
    down, across = np.fft.fftfreq(_BANK)[:, None], np.fft.rfftfreq(_BANK)[None]
    frequency = np.hypot(down, across)
    frequency[0, 0] = np.inf
    smooth = np.fft.irfft2(np.fft.rfft2(noise) / frequency, s=(_BANK, _BANK))
    # Rounded to whole numbers: what another machine's transform changes in the last bits is lost.
    bank: NDArray[np.int16] = np.rint(np.clip(smooth * (40 / smooth.std()), -120, 120)).astype(np.int16)
    return bank
