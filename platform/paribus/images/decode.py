"""From the bytes of an image to pixels, and the fixed views of it: as stored, or fitted to the side of the input."""

from io import BytesIO
from typing import Literal

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from paribus.errors import UndecodableError
from paribus.images.header import MAX_PIXELS, TURNS, check_size, exif_orientation, is_jpeg, jpeg_header, png_size

Pixels = NDArray[np.uint8]
View = Literal["stored", "fit", "centre"]
_DEEP_MODES = ("I;16", "I;16B", "I;16L", "I;16N")
# Of 32-bit and float samples no one says which value is white.
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", *_DEEP_MODES)
GREY_MODES = ("1", "L", "LA", *_DEEP_MODES)
# fb.resnet.torch and the papers after it evaluate 224 pixels cut from a short side of 256.
_CENTRE_SHARE = 224 / 256


def decode(data: bytes, channels: int) -> Pixels:
    """(H, W, C) uint8 of a JPEG, PNG, WebP or other file that Pillow reads, in full and upright (EXIF orientation).

    Of 16 bits the upper 8 are kept, transparency is dropped, of several frames the first is taken.

    Raises:
        UndecodableError: broken bytes, more than `header.MAX_PIXELS` pixels, or samples of more than 16 bits.
    """
    header = jpeg_header(data) if is_jpeg(data) else None
    # Four channels are CMYK or YCCK, maybe inverted: Pillow knows.
    if header is not None and header.channels != 4:
        try:
            pixels = simplejpeg.decode_jpeg(data, "GRAY" if channels == 1 else "RGB")
            return upright(np.asarray(pixels, np.uint8), header.orientation)
        except ValueError:
            pass  # a fault that Pillow either tolerates or names
    with _opened(data) as image:
        try:
            pixels = _converted(image, channels)
        except (MemoryError, UndecodableError):
            raise
        except Exception as error:  # broken bytes make Pillow's readers raise errors of any kind
            raise UndecodableError(str(error) or type(error).__name__) from None
        return upright(pixels, _orientation(image))


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """(H, W, C) contiguous, turned as an EXIF `orientation` from 1 to 8 says."""
    reverse_rows, reverse_columns, transpose = TURNS[orientation]
    turned = pixels[:: -1 if reverse_rows else 1, :: -1 if reverse_columns else 1]
    return np.ascontiguousarray(turned.transpose(1, 0, 2) if transpose else turned)


def is_grey(data: bytes) -> bool:
    """Whether the header of a file that decodes says that it holds one channel; False where Pillow cannot tell."""
    try:
        with _opened(data) as image:
            return image.mode in GREY_MODES
    except UndecodableError:
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


def _opened(data: bytes) -> Image.Image:
    """The image with its header read, of an allowed size."""
    check_size(*(png_size(data) or (1, 1)))
    try:
        image = Image.open(BytesIO(data))
    except MemoryError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UndecodableError(f"{error}; {MAX_PIXELS:,} are allowed") from None
    except UnidentifiedImageError:
        start = f"it begins with {data[:8]!r}" if data else "it is empty"
        raise UndecodableError(f"not an image: {start}") from None
    except Exception as error:  # as in `decode`
        raise UndecodableError(str(error) or type(error).__name__) from None
    check_size(image.height, image.width)
    return image


def _converted(image: Image.Image, channels: int) -> Pixels:
    if image.mode not in _MODES:
        raise UndecodableError(f"mode {image.mode!r} has no 8-bit or 16-bit samples")
    if image.mode in _DEEP_MODES:
        grey = (np.asarray(image) >> 8).astype(np.uint8)[:, :, None]
        return np.repeat(grey, channels, axis=2)
    pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(*pixels.shape[:2], channels)


def _orientation(image: Image.Image) -> int:
    # Not getexif(), which decodes a PNG to look behind its pixels, and reads XMP, which no viewer of JPEGs does.
    exif = image.info.get("exif", b"")
    return exif_orientation(exif) if isinstance(exif, bytes) else 1
