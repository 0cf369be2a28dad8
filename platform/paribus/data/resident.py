"""A split that fits in memory: decoded once per machine into a file that all trials map."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.data.atomic import lock, new_folder, require_disk
from paribus.data.decode import Pixels
from paribus.data.manifest import Index
from paribus.data.reading import ShardReader
from paribus.data.supply import Loaded, Request, Viewing

LIMIT_MIB = 2048
_IMAGES, _UNDECODABLE = "images.npy", "undecodable.npy"


class Resident:
    """A supply of decoded images, (N, H, W, C) uint8 in index order, mapped read-only from the cache."""

    def __init__(self, images: Pixels, undecodable: NDArray[np.int64]) -> None:
        self._images = images
        self._broken = np.zeros(len(images), bool)
        self._broken[undecodable] = True

    def tasks(self, requests: Sequence[Request], ahead: bool) -> Iterator[Callable[[], Loaded]]:
        return (partial(self._load, request.positions) for request in requests)

    def _load(self, positions: NDArray[np.int64]) -> Loaded:
        broken = self._broken[positions]
        good = positions[~broken]
        return Loaded(self._images[good], good, positions[broken])


def open_resident(
    cache: Path, reader: ShardReader, index: Index, viewing: Viewing, shape: tuple[int, int, int]
) -> Resident:
    """The resident split in the folder `cache`, decoded now if no process did so before.

    Raises:
        DataError: a damaged shard, or too little disk for the cache.
    """
    full = (len(index), *shape)
    with lock(cache):
        if not _is_whole(cache, full):
            _decode_all(cache, reader, index, viewing, full)
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


def _decode_all(cache: Path, reader: ShardReader, index: Index, viewing: Viewing, shape: tuple[int, ...]) -> None:
    require_disk(cache, int(np.prod(shape)))
    _discard(cache)
    undecodable = []
    with new_folder(cache) as partial_folder:
        images = np.lib.format.open_memmap(partial_folder / _IMAGES, "w+", np.uint8, shape)
        for number, start in enumerate(index.starts.tolist()):
            for row, data in enumerate(reader.read(number), start):
                image = viewing.of(data)
                if image is None:
                    undecodable.append(row)
                else:
                    images[row] = image
        images.flush()
        np.save(partial_folder / _UNDECODABLE, np.array(undecodable, np.int64))


def _discard(cache: Path) -> None:
    for file in (_IMAGES, _UNDECODABLE):
        (cache / file).unlink(missing_ok=True)
    if cache.exists():
        cache.rmdir()
