"""A split that fits in memory: decoded once per machine into a file that all trials map."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.data.atomic import lock, new_folder, require_disk
from paribus.data.decode import Pixels, crop_pixels
from paribus.data.reading import ShardReader
from paribus.data.supply import Crops, Positions, Viewing

LIMIT_MIB = 2048
_IMAGES, _UNDECODABLE = "images.npy", "undecodable.npy"


class Resident:
    """A supply of decoded images, (N, H, W, C) uint8 in index order, mapped read-only from the cache."""

    def __init__(self, images: Pixels, undecodable: NDArray[np.int64]) -> None:
        self._images = images
        self._broken = np.zeros(len(images), bool)
        self._broken[undecodable] = True

    def ahead(self, positions: Positions) -> AbstractContextManager[object]:
        return nullcontext()

    def fill(self, positions: Positions, out: Pixels, crops: Crops | None) -> NDArray[np.bool_]:
        if crops is None:
            out[:] = self._images[positions]
        else:
            for place, (row, box) in enumerate(zip(positions.tolist(), crops.boxes.tolist(), strict=True)):
                crop_pixels(self._images[row], tuple(box), out[place], flip=bool(crops.flips[place]))
        return ~self._broken[positions]

    def image(self, row: int) -> Pixels | None:
        return None if self._broken[row] else self._images[row]


def open_resident(cache: Path, reader: ShardReader, viewing: Viewing, shape: tuple[int, int, int]) -> Resident:
    """The resident split in the folder `cache`, decoded now if no process did so before.

    Raises:
        DataError: a damaged shard, or too little disk for the cache.
    """
    full = (len(reader.index), *shape)
    with lock(cache):
        if not _is_whole(cache, full):
            _decode_all(cache, reader, viewing, full)
    # Not np.memmap's own class: its indexing costs more than the copy of a small batch.
    images = np.asarray(np.load(cache / _IMAGES, mmap_mode="r"))
    return Resident(images, np.load(cache / _UNDECODABLE))


def _is_whole(cache: Path, shape: tuple[int, ...]) -> bool:
    try:
        images = np.load(cache / _IMAGES, mmap_mode="r")
        np.load(cache / _UNDECODABLE)
    except (OSError, ValueError):
        return False
    return bool(images.shape == shape and images.dtype == np.uint8)


def _decode_all(cache: Path, reader: ShardReader, viewing: Viewing, shape: tuple[int, ...]) -> None:
    require_disk(cache, int(np.prod(shape)))
    _discard(cache)
    undecodable = []
    with new_folder(cache) as partial_folder:
        # Written as a file, not through a map: a full disk is then an error and not a signal that kills the trial.
        with (partial_folder / _IMAGES).open("wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for row, image in enumerate(_decoded(reader, viewing)):
                if image is None:
                    undecodable.append(row)
                file.write((np.zeros(shape[1:], np.uint8) if image is None else image).tobytes())
        np.save(partial_folder / _UNDECODABLE, np.array(undecodable, np.int64))


def _decoded(reader: ShardReader, viewing: Viewing) -> Iterator[Pixels | None]:
    for row in range(len(reader.index)):
        yield viewing.of(reader.read(row))


def _discard(cache: Path) -> None:
    for file in (_IMAGES, _UNDECODABLE):
        (cache / file).unlink(missing_ok=True)
    if cache.exists():
        cache.rmdir()
