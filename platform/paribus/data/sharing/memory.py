"""Memory that one process writes and others map read-only.

It is anonymous (memfd): it has no name, so nothing is left behind whoever is killed, and no mount bounds it, such as a
container's /dev/shm of 64 MiB.
"""

import fcntl
import mmap
import os
import weakref
from contextlib import suppress
from itertools import count

import numpy as np
from numpy.typing import NDArray

from paribus.images.decode import Pixels

Shape = tuple[int, int, int, int]

# After this seal nobody can map the memory for writing any more; Linux 5.1, and in Python's fcntl only from 3.12 on.
_SEAL_FUTURE_WRITE = 0x10
_ROW = np.dtype("<i4").itemsize
_numbers = count()


class Slot:
    """Room for the pixels of one batch, (B, H, W, C) uint8, and the rows of its samples, (B,) int32; for the reader.

    Raises:
        OSError: there is not enough memory, or it may not be had.
    """

    def __init__(self, shape: Shape) -> None:
        self.number = next(_numbers)
        self.descriptor = os.memfd_create("paribus-batch", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        weakref.finalize(self, os.close, self.descriptor)
        # Taken now: memory that is missing when a page is first written would be a signal, not an error.
        os.posix_fallocate(self.descriptor, 0, num_bytes(shape))
        whole = mmap.mmap(self.descriptor, num_bytes(shape))
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
        with suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEAL_FUTURE_WRITE)
        self.pixels: Pixels = np.ndarray(shape, np.uint8, buffer=whole)
        self.rows = _rows(whole, shape)


class Window:
    """A slot as a client sees it: read-only, and valid for as long as anything refers to it."""

    def __init__(self, descriptor: int, shape: Shape) -> None:
        try:
            flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
            self._whole = mmap.mmap(descriptor, num_bytes(shape), flags=flags, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        self._shape = shape
        self.rows = _rows(self._whole, shape)

    def pixels(self) -> Pixels:
        """The pixels as an array of their own: every view of it, NumPy's or torch's, keeps this very object alive."""
        return np.ndarray(self._shape, np.uint8, buffer=self._whole)


def num_bytes(shape: Shape) -> int:
    """Bytes of a slot."""
    return _aligned(shape) + shape[0] * _ROW


def _aligned(shape: Shape) -> int:
    return -(-int(np.prod(shape)) // _ROW) * _ROW


def _rows(whole: mmap.mmap, shape: Shape) -> NDArray[np.int32]:
    return np.ndarray(shape[:1], "<i4", buffer=whole, offset=_aligned(shape))
