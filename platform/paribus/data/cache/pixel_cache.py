"""Decoded pixels of a split in one file that all processes of the node map; made once, and mended block by block.

A folder holds `pixels` (the samples end to end), `turns` (a byte a sample: the EXIF orientation, 0 where it does not
decode), `blocks` (the crc of each block of samples, once it is done) and, when all are, `seal.json`. A maker that is
killed leaves the blocks that it finished; the next one checks them and makes the others. A file whose length or time
of change is not the seal's is treated the same way, so one that was cut or altered is mended.
"""

import json
import mmap
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from paribus.data.cache.room import PIXELS, hold, reserve
from paribus.errors import DataError
from paribus.host.atomic import flush, lock, new_file
from paribus.host.plain_files import read_document
from paribus.host.progress_bar import ProgressBar
from paribus.images.crop import Original

_TURNS, _BLOCKS, _SEAL = "turns", "blocks", "seal.json"
_BLOCK_BYTES = 16 << 20
_BLOCK = np.dtype([("done", "<u4"), ("crc", "<u4")])
_QUIET_S = 3.0


@dataclass(frozen=True)
class Layout:
    """Where each of N samples lies: `heights`, `widths` (N,) int64 in pixels as displayed, `starts` (N + 1,) in bytes.

    A sample that is not kept has no bytes.
    """

    heights: NDArray[np.int64]
    widths: NDArray[np.int64]
    channels: int
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, heights: NDArray[np.int64], widths: NDArray[np.int64], channels: int) -> "Layout":
        """Samples of these sizes end to end; those of size 0 are not kept."""
        return cls(heights, widths, channels, np.concatenate([[0], np.cumsum(heights * widths * channels)]))

    def __len__(self) -> int:
        return len(self.heights)

    @property
    def num_bytes(self) -> int:
        """Bytes of all pixels."""
        return int(self.starts[-1])

    @property
    def blocks(self) -> list[range]:
        """The rows of each block: about 16 MiB of pixels, so that one fits a thread's hands."""
        cuts = np.searchsorted(self.starts, np.arange(_BLOCK_BYTES, self.num_bytes, _BLOCK_BYTES))
        edges = np.unique([0, *cuts, len(self)]).tolist()
        return [range(first, last) for first, last in pairwise(edges)]


@dataclass(frozen=True)
class PixelCache:
    """The mapped file: `pixels` (bytes,) uint8, `turns` (N,) uint8; as long as it lives nobody removes the file."""

    layout: Layout
    mapped: mmap.mmap
    pixels: NDArray[np.uint8]
    turns: NDArray[np.uint8]

    def original(self, row: int) -> Original:
        """Sample `row`, which decoded."""
        layout, turn = self.layout, int(self.turns[row])
        height, width = int(layout.heights[row]), int(layout.widths[row])
        pixels = self.pixels[layout.starts[row] : layout.starts[row + 1]]
        # Orientations from 5 on exchange height and width.
        shape = (width, height) if turn >= 5 else (height, width)
        return Original(pixels.reshape(*shape, layout.channels), turn)


@dataclass(frozen=True)
class Making:
    """How a cache is made: `decode` gives sample `row` or None, from any thread; `text` says what is decoded.

    `ahead` is entered around it: what fetches the bytes in the order of the rows.
    """

    decode: Callable[[int], Original | None]
    text: str
    threads: int
    ahead: Callable[[], AbstractContextManager[object]] = nullcontext


def open_cache(folder: Path, layout: Layout, making: Making, limit: int) -> PixelCache:
    """The cache in `folder`, made or mended now if need be; other processes wait meanwhile.

    It may hold `limit` bytes together with the others beside it; the longest unused of them make room.

    Raises:
        NoRoomError: too little disk, or a lower limit.
        DataError: a damaged shard, or one whose images have other sizes than its index says.
    """

    def waiting() -> None:
        if not _is_sealed(folder, layout):
            print(f"another process is {making.text}: waiting for it", file=sys.stderr, flush=True)

    with lock(folder, waiting):
        if not _is_sealed(folder, layout):
            _make(folder, layout, making, limit)
        # The map keeps the open file and with it the lock.
        with hold(folder / PIXELS) as file:
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        # A plain array: np.memmap's indexing costs more than the copy of a small batch.
        pixels = np.frombuffer(mapped, np.uint8)
        return PixelCache(layout, mapped, pixels, np.fromfile(folder / _TURNS, np.uint8))


def _seal(folder: Path) -> list[list[int]]:
    """[bytes, time of the last change] of each file."""
    return [[status.st_size, status.st_mtime_ns] for status in ((folder / name).lstat() for name in (PIXELS, _TURNS))]


def _is_sealed(folder: Path, layout: Layout) -> bool:
    try:
        kept = read_document(folder / _SEAL)
        return bool(kept == _seal(folder) and [size for size, _ in kept] == [layout.num_bytes, len(layout)])
    except (OSError, ValueError):
        return False


def _drop_odd(folder: Path) -> None:
    """Remove what is in the place of a cache's files and is no plain file: a link, a pipe, a folder."""
    for path in (folder / name for name in (PIXELS, _TURNS, _BLOCKS, _SEAL)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.is_symlink() or (path.exists() and not path.is_file()):
            path.unlink()


def _make(folder: Path, layout: Layout, making: Making, limit: int) -> None:
    blocks = layout.blocks
    try:
        _drop_odd(folder)
        (folder / _SEAL).unlink(missing_ok=True)
        reserve(folder, layout.num_bytes, limit)
        with (
            _Files(folder, layout, len(blocks)) as files,
            ThreadPoolExecutor(making.threads, thread_name_prefix="paribus-data") as pool,
            # Last: what is fetched is cancelled before the threads are waited for.
            making.ahead(),
        ):
            done = pool.map(partial(files.settle, making.decode), range(len(blocks)), blocks)
            try:
                _show(done, making.text, layout)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for name in (PIXELS, _TURNS, _BLOCKS):
            flush(folder / name)
        with new_file(folder / _SEAL) as file:
            file.write(json.dumps(_seal(folder)).encode())
    except OSError as error:
        raise DataError(f"{folder} was not written: {error}") from error


def _show(done: Iterable[range], text: str, layout: Layout) -> None:
    """Work through the blocks; who waits long sees how far it is."""
    begun, progress_bar = time.monotonic(), None
    with ExitStack() as stack:
        for rows in done:
            num_bytes = int(layout.starts[rows.stop] - layout.starts[rows.start])
            if progress_bar is not None:
                progress_bar.tick(num_bytes, len(rows))
            elif time.monotonic() - begun > _QUIET_S:
                progress_bar = stack.enter_context(ProgressBar(text, len(layout), done=rows.stop))


class _Files:
    """The files of a cache under construction."""

    def __init__(self, folder: Path, layout: Layout, num_blocks: int) -> None:
        self._layout = layout
        sizes = {PIXELS: layout.num_bytes, _TURNS: len(layout), _BLOCKS: num_blocks * _BLOCK.itemsize}
        self._descriptors: dict[str, int] = {}
        with ExitStack() as stack:
            for name, size in sizes.items():
                descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                stack.callback(os.close, descriptor)
                os.truncate(descriptor, size)
                self._descriptors[name] = descriptor
            self._stack = stack.pop_all()

    def __enter__(self) -> "_Files":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def settle(self, decode: Callable[[int], Original | None], number: int, rows: range) -> range:
        """Make block `number` of samples `rows`, unless it is done and sound; gives `rows`."""
        first, last = int(self._layout.starts[rows.start]), int(self._layout.starts[rows.stop])
        done, crc = np.frombuffer(self._read(_BLOCKS, _BLOCK.itemsize, number * _BLOCK.itemsize), _BLOCK)[0]
        if done and crc == self._crc(first, last, rows):
            return rows
        pixels, turns = _decoded(self._layout, decode, rows)
        self._write(PIXELS, pixels, first)
        self._write(_TURNS, turns, rows.start)
        record = np.array([(1, crc32(turns, crc32(pixels)))], _BLOCK).tobytes()
        self._write(_BLOCKS, record, number * _BLOCK.itemsize)
        return rows

    def _crc(self, first: int, last: int, rows: range) -> int:
        return crc32(self._read(_TURNS, len(rows), rows.start), crc32(self._read(PIXELS, last - first, first)))

    def _read(self, name: str, length: int, offset: int) -> bytes:
        return os.pread(self._descriptors[name], length, offset)

    def _write(self, name: str, data: bytes | bytearray | memoryview, offset: int) -> None:
        while data:
            written = os.pwrite(self._descriptors[name], data, offset)
            data, offset = data[written:], offset + written


def _decoded(layout: Layout, decode: Callable[[int], Original | None], rows: range) -> tuple[memoryview, bytearray]:
    """The pixels of samples `rows` end to end, and their orientations."""
    base = layout.starts[rows.start]
    pixels = np.zeros(int(layout.starts[rows.stop] - base), np.uint8)
    turns = bytearray(len(rows))
    for place, row in enumerate(rows):
        source = decode(row) if layout.heights[row] else None
        if source is None:
            continue
        size = tuple(source.pixels.shape[:2] if source.orientation < 5 else source.pixels.shape[1::-1])
        if size != (layout.heights[row], layout.widths[row]):
            raise DataError(
                f"sample {row} decodes to {size[0]}x{size[1]} pixels where the index says "
                f"{layout.heights[row]}x{layout.widths[row]}: make the shards again"
            )
        pixels[layout.starts[row] - base : layout.starts[row + 1] - base] = source.pixels.reshape(-1)
        turns[place] = source.orientation
    return pixels.data, turns
