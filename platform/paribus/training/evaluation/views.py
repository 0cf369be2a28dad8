"""Which parts of an image the papers evaluate: pure geometry, in pixels, with no image in sight.

The papers' numbers are of a 224 pixel input; they scale with the side of the input, so that 8x8 digits can be looked at
as ImageNet was: "256" means a shorter side of 256/224 of the input's.

| crops | what | source |
|---|---|---|
| `1` | what training itself evaluates | the recipe's own |
| `10` | short side 256, its central square: four corners and the centre, and their mirrors | AlexNet, section 4.1 |
| `12` | the same, and the whole square resized to the input, and its mirror | see below |
| `144` | short sides 256, 288, 320, 352; three squares each; of each the twelve above | GoogLeNet, section 7 |
| `dense` | whole images, short sides 224, 256, 384, 480, 640, and mirrors | ResNet, section 3.4; VGG, section 3.2 |

GoogLeNet's 144 are 4 scales x 3 squares (left, centre, right; of a portrait top, centre, bottom) x 6 x 2.

**Twelve crops are defined by no paper.** Inception-v3 (Table 4) and Inception-v4 (Table 3) report them and say no more;
taken here are GoogLeNet's 6 x 2 of one square, the only twelve in its scheme. For ten, fb.resnet.torch goes to the
corners of the whole resized image, AlexNet to those of its central square: we follow AlexNet, as GoogLeNet did.

**Dense**: the whole uncropped image goes through the convolutions at each scale, and the class scores are averaged over
all positions of the last map (VGG), softmax over scales and mirrors. In a net that ends in a global average pool and a
linear classifier that average is what the net itself computes of a larger image, and every net here takes any size; one
with another head (NIN's connected one) gives its own answer to the larger image. ResNet gives the scales.
"""

from collections.abc import Callable
from typing import NamedTuple

from paribus.images.decode import sides

_PAPERS_INPUT = 224
_ONE_SCALE = (256,)
_SCALES = (256, 288, 320, 352)
_DENSE_SCALES = (224, 256, 384, 480, 640)


class Box(NamedTuple):
    """A rectangle in the resized image, pixels."""

    top: int
    left: int
    height: int
    width: int


class View(NamedTuple):
    """The image resized to a shorter side of `short` pixels, `box` cut out of it, and mirrored left to right or not.

    `shrunk`: the box is then resized to the input's side; otherwise it is taken as it is.
    """

    short: int
    box: Box
    mirrored: bool
    shrunk: bool = False


def views(crops: str, height: int, width: int, size: int) -> tuple[View, ...]:
    """The views at an image of `height` x `width` for an input of `size`; where they coincide, they are repeated.

    `crops` is a key of VIEWS; "1" is the recipe's own view and has no geometry here.
    """
    return VIEWS[crops](height, width, size)


def squares(height: int, width: int) -> tuple[Box, Box, Box]:
    """The left, centre and right square of an image, of a portrait the top, centre and bottom one."""
    side = min(height, width)
    places = (0, (max(height, width) - side) // 2, max(height, width) - side)
    if height > width:
        first, centre, last = (Box(place, 0, side, side) for place in places)
    else:
        first, centre, last = (Box(0, place, side, side) for place in places)
    return first, centre, last


def corners_and_centre(square: Box, size: int) -> tuple[Box, ...]:
    """The five boxes of `size` in the corners and the centre of `square`."""
    far, middle = square.height - size, (square.height - size) // 2
    offsets = ((0, 0), (0, far), (far, 0), (far, far), (middle, middle))
    return tuple(Box(square.top + top, square.left + left, size, size) for top, left in offsets)


def scaled_short(papers_short: int, size: int) -> int:
    """What the papers' shorter side at an input of 224 is at an input of `size`, pixels."""
    return round(papers_short * size / _PAPERS_INPUT)


def _ten(height: int, width: int, size: int) -> tuple[View, ...]:
    return tuple(look for look in _twelve(height, width, size) if not look.shrunk)


def _twelve(height: int, width: int, size: int) -> tuple[View, ...]:
    short = scaled_short(_ONE_SCALE[0], size)
    return _six_and_mirrors(short, squares(*sides(height, width, short))[1], size)


def _all_144(height: int, width: int, size: int) -> tuple[View, ...]:
    shorts = [scaled_short(scale, size) for scale in _SCALES]
    per_square = (
        _six_and_mirrors(short, square, size) for short in shorts for square in squares(*sides(height, width, short))
    )
    return tuple(look for group in per_square for look in group)


def _six_and_mirrors(short: int, square: Box, size: int) -> tuple[View, ...]:
    five = [(box, False) for box in corners_and_centre(square, size)]
    return tuple(
        View(short, box, mirrored, shrunk) for box, shrunk in [*five, (square, True)] for mirrored in (False, True)
    )


def _dense(height: int, width: int, size: int) -> tuple[View, ...]:
    shorts = [scaled_short(scale, size) for scale in _DENSE_SCALES]
    return tuple(
        View(short, Box(0, 0, *sides(height, width, short)), mirrored) for short in shorts for mirrored in (False, True)
    )


VIEWS: dict[str, Callable[[int, int, int], tuple[View, ...]]] = {
    "10": _ten,
    "12": _twelve,
    "144": _all_144,
    "dense": _dense,
}
PROTOCOLS = ("1", *VIEWS)
