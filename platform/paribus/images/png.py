"""Pixels to PNG, always the same bytes.

Deflate's output differs between zlib, zlib-ng and their versions and CPUs, and a data digest must not: so nothing is
compressed (RFC 1951, section 3.2.4). Small images lose nothing by it, because tar pads every file to 512 bytes.
"""

import struct
from zlib import adler32, crc32

from paribus.images.decode import Pixels

_MAX_BLOCK = 65_535
_GREY, _COLOUR = 0, 2


def encode_png(pixels: Pixels) -> bytes:
    """The bytes of an 8-bit PNG (W3C PNG, third edition) of (H, W, 1) or (H, W, 3) uint8."""
    height, width, channels = pixels.shape
    kind = _GREY if channels == 1 else _COLOUR
    # Every line starts with its filter: 0, none.
    lines = b"".join(b"\0" + line.tobytes() for line in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", _stored(lines)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc32(name + data))


def _stored(data: bytes) -> bytes:
    """A zlib stream (RFC 1950) of stored blocks."""
    starts = range(0, len(data), _MAX_BLOCK)
    blocks = [data[start : start + _MAX_BLOCK] for start in starts]
    body = b"".join(
        struct.pack("<BHH", block is blocks[-1], len(block), len(block) ^ 0xFFFF) + block for block in blocks
    )
    return b"\x78\x01" + body + struct.pack(">I", adler32(data))
