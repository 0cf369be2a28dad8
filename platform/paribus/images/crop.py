"""A random crop straight from a file's bytes: only what it needs is decoded, and it is resized into place.

`exact` means: decode in full, cut, resize. It is done faster where that changes no bit: a sequential JPEG is decoded
down to the crop's last row. `fast` may besides decode a JPEG at 1/2, 1/4 or 1/8, where enough pixels stay, and uses
libjpeg-turbo's fast inverse transform (a sixteenth faster; red and blue 1 of 255 darker) and plain upsampling of
colours. It is at most 2 of 255 from exact in the mean (`tests/data/test_crop_bound.py`).
"""

from struct import pack_into
from typing import NamedTuple

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray

from paribus.images.decode import Pixels, decode
from paribus.images.header import TURNS, JpegHeader, is_jpeg, jpeg_header
from paribus.images.resample import Axis, resample, resample_scaled, scaled_axis

Box = tuple[int, int, int, int]
# libjpeg-turbo has vector code for halves and quarters, an eighth needs none; 5/8 to 7/8 cost more than the whole.
_EIGHTHS = (1, 2, 4)
# Decoded pixels per output and axis: what scaled decoding blurs and aliases, the resampler then hides.
_MARGIN = 1.25
# Below, simplejpeg could not tell which scale is meant.
_MIN_OUTPUT = 8


def crop(data: bytes, channels: int, box: Box, out: Pixels, *, exact: bool, flip: bool = False) -> None:
    """Write the `box` of a file, resized, mirrored left and right where `flip`, into `out` (H, W, C) uint8, contiguous.

    `box`: top, left, height, width in pixels of the whole image as displayed.

    Raises:
        UndecodableError: broken bytes, too many pixels, or samples of more than 16 bits.
        ValueError: a box that does not lie in the image.
    """
    header = jpeg_header(data) if is_jpeg(data) else None
    # Four channels are CMYK, which is Pillow's; and the missing rows of a file that was cut must not pass as grey.
    if header is None or header.channels == 4 or not header.is_whole(data):
        crop_pixels(decode(data, channels), box, out, flip=flip)
        return
    _check(box, header.upright)
    top, left, height, width = stored = _as_stored(box, header.orientation, header.height, header.width)
    scaled = None if exact else _scaled(stored, out.shape[1::-1] if TURNS[header.orientation][2] else out.shape)
    pixels = _decode_rows(data, header, top + height, channels, scaled.eighths if scaled else 8, exact)
    if pixels is None:
        crop_pixels(decode(data, channels), box, out, flip=flip)
    elif scaled is None:
        resample(pixels[top : top + height, left : left + width], out, orientation=header.orientation, flip=flip)
    else:
        resample_scaled(pixels, scaled.rows, scaled.columns, out, orientation=header.orientation, flip=flip)


class Original(NamedTuple):
    """A whole file decoded, as stored: `orientation`, 1 to 8 as in EXIF, turns the (H, W, C) `pixels` upright."""

    pixels: Pixels
    orientation: int


def original(data: bytes, channels: int, *, exact: bool) -> Original:
    """The pixels that `crop` cuts from, wherever it does not decode at a smaller scale (`may_scale`).

    Raises:
        UndecodableError: as `crop` does.
    """
    header = jpeg_header(data) if is_jpeg(data) else None
    if header is not None and header.channels != 4 and header.is_whole(data):
        pixels = _decode_rows(data, header, header.height, channels, 8, exact)
        if pixels is not None:
            return Original(pixels, header.orientation)
    return Original(decode(data, channels), 1)


def crop_original(source: Original, box: Box, out: Pixels, *, flip: bool = False) -> None:
    """As `crop`, from a file that was decoded before."""
    height, width = source.pixels.shape[:2]
    transpose = TURNS[source.orientation][2]
    _check(box, (width, height) if transpose else (height, width))
    top, left, box_height, box_width = _as_stored(box, source.orientation, height, width)
    inside = source.pixels[top : top + box_height, left : left + box_width]
    resample(inside, out, orientation=source.orientation, flip=flip)


def may_scale(heights: NDArray[np.int64], widths: NDArray[np.int64], size: int) -> NDArray[np.bool_]:
    """(N,) of which images of (N,) `heights` and `widths` fast `crop` may decode some boxes at a smaller scale."""
    shortest: NDArray[np.int64] = np.minimum(heights, widths)
    return (shortest * _EIGHTHS[-1] >= size * 8 * _MARGIN) & (size >= _MIN_OUTPUT)


def crop_pixels(pixels: Pixels, box: Box, out: Pixels, *, flip: bool = False) -> None:
    """Write the `box` of decoded (H, W, C) pixels, resized and maybe mirrored, into `out`, as exact `crop` does.

    Raises:
        ValueError: a box that does not lie in the image.
    """
    crop_original(Original(pixels, 1), box, out, flip=flip)


def _check(box: Box, size: tuple[int, ...]) -> None:
    top, left, height, width = box
    if min(top, left) < 0 or min(height, width) < 1 or top + height > size[0] or left + width > size[1]:
        raise ValueError(f"the box {box} (top, left, height, width) does not lie in an image of {size[0]}x{size[1]}")


def _as_stored(box: Box, orientation: int, stored_height: int, stored_width: int) -> Box:
    """The box that is displayed as `box`."""
    reverse_rows, reverse_columns, transpose = TURNS[orientation]
    top, left, height, width = box
    if transpose:
        top, left, height, width = left, top, width, height
    top = stored_height - top - height if reverse_rows else top
    left = stored_width - left - width if reverse_columns else left
    return top, left, height, width


class _Scaled(NamedTuple):
    """A box in an image decoded at `eighths`/8."""

    eighths: int
    rows: Axis
    columns: Axis


def _scaled(box: Box, size: tuple[int, ...]) -> _Scaled | None:
    """The smallest scale at which the box still has pixels to spare, and where it lies then; None: there is none."""
    top, left, height, width = box
    num_rows, num_columns = size[:2]
    spare = min(height / num_rows, width / num_columns) / 8
    if min(num_rows, num_columns) < _MIN_OUTPUT:
        return None
    for eighths in _EIGHTHS:
        if spare * eighths >= _MARGIN:
            rows = scaled_axis(top, height, eighths, num_rows)
            columns = scaled_axis(left, width, eighths, num_columns)
            if rows is not None and columns is not None:
                return _Scaled(eighths, rows, columns)
    return None


def _decode_rows(
    data: bytes, header: JpegHeader, bottom: int, channels: int, eighths: int, exact: bool
) -> Pixels | None:
    """(H, W, C) at `eighths`/8, at least down to the row `bottom` of the full size; None where libjpeg refuses.

    libjpeg stops at the height that the frame states, so a lower one there saves the rest of the file's work. One row
    more than asked for, because the upsampling of colours looks at the next; then whole blocks, because it repeats the
    last row of the image.
    """
    num_rows = -(-(bottom + 1) // header.block_height) * header.block_height
    source: bytes | bytearray = data
    if header.sequential and num_rows < header.height:
        source = bytearray(data)
        pack_into(">H", source, header.height_at, num_rows)
    else:
        num_rows = header.height
    try:
        pixels = simplejpeg.decode_jpeg(
            source,
            "GRAY" if channels == 1 else "RGB",
            fastdct=not exact,
            fastupsample=not exact,
            min_height=-(-num_rows * eighths // 8),
            min_width=-(-header.width * eighths // 8),
            strict=False,
        )
    except ValueError:
        return None
    return np.asarray(pixels, np.uint8)
