"""From the bytes of an image to pixels, and the fixed views of it: as stored, or fitted to the side of the input."""

from io import BytesIO
from typing import Literal

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from paribus.data.errors import UndecodableError

Pixels = NDArray[np.uint8]
View = Literal["stored", "fit", "centre"]
# Wider, 16-bit and float modes would be clipped to 8 bits without a word.
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
GREY_MODES = ("1", "L", "LA")
# fb.resnet.torch and the papers after it evaluate 224 pixels cut from a short side of 256.
_CENTRE_SHARE = 224 / 256


def decode(data: bytes, channels: int) -> Pixels:
    """(H, W, C) uint8 of a JPEG, PNG or other file that Pillow reads; orientation tags are not applied.

    Raises:
        UndecodableError: broken bytes, or samples of more than 8 bits.
    """
    if data[:2] == b"\xff\xd8":
        try:
            return np.asarray(simplejpeg.decode_jpeg(data, "GRAY" if channels == 1 else "RGB"), np.uint8)
        except ValueError:
            pass  # CMYK, or a fault that Pillow either tolerates or names
    try:
        with Image.open(BytesIO(data)) as image:
            if image.mode not in _MODES:
                raise UndecodableError(f"mode {image.mode!r} has no 8-bit samples")
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except (MemoryError, UndecodableError):
        raise
    except Exception as error:  # broken bytes make Pillow's readers raise errors of any kind
        raise UndecodableError(_reason(error)) from None
    return pixels.reshape(*pixels.shape[:2], channels)


def is_grey(data: bytes) -> bool:
    """Whether the header of a file that decodes says that it holds one channel; False where Pillow cannot tell."""
    try:
        with Image.open(BytesIO(data)) as image:
            return image.mode in GREY_MODES
    except (OSError, SyntaxError, ValueError):
        return False


def as_image(pixels: Pixels) -> Image.Image:
    """A Pillow image of (H, W, 1) or (H, W, 3) uint8."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """(height, width, C) uint8, bilinear with antialiasing."""
    if pixels.shape[:2] == (height, width):
        return pixels
    resized = np.asarray(as_image(pixels).resize((width, height), Image.Resampling.BILINEAR))
    return resized.reshape(height, width, pixels.shape[2])


def crop(
    data: bytes, channels: int, box: tuple[int, int, int, int], out: Pixels, *, exact: bool, flip: bool = False
) -> None:
    """Write the `box` (top, left, height, width) of the file `data`, resized, maybe mirrored, into `out` (H, W, C)."""
    crop_pixels(decode(data, channels), box, out, flip=flip)


def crop_pixels(pixels: Pixels, box: tuple[int, int, int, int], out: Pixels, *, flip: bool = False) -> None:
    """Write the `box` of decoded pixels, resized and maybe mirrored, into `out` (H, W, C)."""
    top, left, height, width = box
    resized = resize(pixels[top : top + height, left : left + width], out.shape[0], out.shape[1])
    out[:] = resized[:, ::-1] if flip else resized


def sides(height: int, width: int, short: int) -> tuple[int, int]:
    """(height, width) in pixels of an image once its shorter side measures `short`, its aspect kept."""
    scale = short / min(height, width)
    return max(short, round(height * scale)), max(short, round(width * scale))


def view(pixels: Pixels, kind: View, size: int) -> Pixels:
    """The image as stored; or with its short side at `size` (`fit`) or at size / 0.875 (`centre`), cut to the centre.

    An image that already is `size` by `size` stays as it is.
    """
    height, width = pixels.shape[:2]
    if kind == "stored" or (height, width) == (size, size):
        return pixels
    short = size if kind == "fit" else round(size / _CENTRE_SHARE)
    resized = resize(pixels, *sides(height, width, short))
    top, left = (resized.shape[0] - size) // 2, (resized.shape[1] - size) // 2
    return resized[top : top + size, left : left + size]


def _reason(error: Exception) -> str:
    # Pillow names the buffer that it failed on by its address, which tells a reader nothing.
    return "not an image" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
