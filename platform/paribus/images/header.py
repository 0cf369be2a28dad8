"""What the first bytes of an image file say: its size, how to turn it upright, and how a JPEG is laid out."""

from struct import Struct, unpack_from
from struct import error as StructError
from typing import NamedTuple

from paribus.errors import UndecodableError

# Pillow's own limit; a file of a few KB can claim thousands of megapixels.
MAX_PIXELS = 89_478_485
_START, _START_OF_SCAN, _END = b"\xff\xd8", 0xDA, b"\xff\xd9"
# Every start of frame; C4, C8 and CC, which lie among them, are tables.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = (0xC0, 0xC1)
# Without a length behind them; 00 and FF are no markers. Bytes between segments are skipped, as libjpeg does.
_BARE = frozenset(range(0xD0, 0xD9)) | {0x00, 0x01, 0xFF}
_SEGMENT = Struct(">BBH")
_EXIF, _APP1 = b"Exif\0\0", 0xE1
_ORIENTATION = 0x0112
# How stored pixels become upright: per orientation, whether rows and columns are reversed, then both transposed.
TURNS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (True, True, False),
    4: (True, False, False),
    5: (False, False, True),
    6: (True, False, True),
    7: (True, True, True),
    8: (False, True, True),
}


class JpegHeader(NamedTuple):
    """A JPEG as stored, before it is turned upright; lengths in pixels, places in bytes from the file's start.

    `block_height` is the height of a row of MCUs (ITU T.81, section A.2), `height_at` the place of the frame's height.
    `sequential`: the rows follow each other in one scan, so a decoder can stop early.
    """

    height: int
    width: int
    channels: int
    orientation: int
    block_height: int
    height_at: int
    scan_at: int
    sequential: bool

    @property
    def upright(self) -> tuple[int, int]:
        """(height, width) as displayed."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)

    def is_whole(self, data: bytes) -> bool:
        """Whether the end marker is there: inside the entropy-coded data its two bytes cannot stand."""
        return data.rfind(_END) > self.scan_at


def is_jpeg(data: bytes) -> bool:
    """Whether the file begins as a JPEG."""
    return data[:2] == _START


def jpeg_header(data: bytes) -> JpegHeader:
    """Everything up to the first scan.

    Raises:
        UndecodableError: no frame or no scan, or a frame of more pixels than `MAX_PIXELS`.
    """
    frame, frame_at, orientation, at = 0, 0, 1, 2
    try:
        while True:
            mark, marker, length = _SEGMENT.unpack_from(data, at)
            if mark != 0xFF or marker in _BARE:
                at = data.index(b"\xff", at + 1)
                continue
            at += 2
            if marker in _FRAMES:
                frame, frame_at = marker, at
            elif marker == _START_OF_SCAN:
                break
            elif marker == _APP1 and data[at + 2 : at + 8] == _EXIF:
                orientation = exif_orientation(data[at + 2 : at + length])
            at += length
        height, width, channels = unpack_from(">HHB", data, frame_at + 3)
        block = 8 * max((data[frame_at + 9 + 3 * channel] & 15 for channel in range(channels)), default=1)
        sequential = frame in _SEQUENTIAL and data[at + 2] == channels
    except (StructError, IndexError, ValueError):
        raise UndecodableError("a JPEG that ends inside its header") from None
    if not frame:
        raise UndecodableError("a JPEG whose scan has no frame header before it")
    check_size(height, width)
    return JpegHeader(height, width, channels, orientation, block, frame_at + 3, at, sequential)


def png_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) of a PNG, None of anything else."""
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    width, height = unpack_from(">II", data, 16)
    return height, width


def check_size(height: int, width: int) -> None:
    """Refuse what would fill the memory, and what is no image.

    Raises:
        UndecodableError: no pixels, or more than `MAX_PIXELS`.
    """
    if height * width > MAX_PIXELS:
        raise UndecodableError(f"{height}x{width} = {height * width:,} pixels, more than the {MAX_PIXELS:,} allowed")
    if height * width == 0:
        raise UndecodableError(f"{height}x{width} pixels: an image has at least one")


def exif_orientation(exif: bytes) -> int:
    """1 to 8 (Exif 2.32, table 4 tag 274) of an Exif block; 1, upright as stored, where it says nothing readable."""
    tiff = exif.removeprefix(_EXIF)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None:
        return 1
    try:
        (at,) = unpack_from(f"{order}I", tiff, 4)
        (num_entries,) = unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * num_entries, 12):
            tag, kind, count, value = unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION:
                return value if (kind, count) == (3, 1) and 1 <= value <= 8 else 1
    except StructError:
        pass
    return 1
