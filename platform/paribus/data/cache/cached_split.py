"""A split whose decoded pixels stay: views of one size, or whole images of any size that crops are cut from."""

import mmap
import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.data.augment import Draw
from paribus.data.cache.pixel_cache import Layout, Making, PixelCache, open_cache
from paribus.data.pixel_source import Crops, Positions
from paribus.data.stream import Stream, Viewing
from paribus.errors import UndecodableError
from paribus.images.crop import Original, crop_original, may_scale, original
from paribus.images.decode import Pixels, decode, upright
from paribus.shards.manifest import Manifest
from paribus.shards.reading import ShardReader

# Counted up when the same samples would come to other bytes in a cache.
_FORMAT = 1


@dataclass(frozen=True)
class CachePlan:
    """What of a split would be kept: of the samples in the reader's index, which are all or those that a recipe holds
    out. `cropped`: random crops are cut from it, so that whole images are kept.

    Fast decoding of a crop may read large images at a smaller scale; these are read from the shards each time, so that
    keeping the others changes no pixel.
    """

    reader: ShardReader
    manifest: Manifest
    split: str
    viewing: Viewing
    cropped: bool

    @cached_property
    def shape(self) -> tuple[int, int, int] | None:
        """(H, W, C) of every image that is kept, or None where they differ."""
        return self.viewing.shape(self.manifest)

    @cached_property
    def scaled(self) -> NDArray[np.bool_]:
        """(N,) which samples are not kept because crops of them may be decoded at a smaller scale."""
        rows = self.reader.index.rows
        if not self.cropped or self.viewing.exact:
            return np.zeros(len(rows), bool)
        return may_scale(rows["height"].astype(np.int64), rows["width"].astype(np.int64), self.viewing.size)

    @cached_property
    def layout(self) -> Layout:
        """Where the kept pixels go."""
        if self.shape is None:
            rows = self.reader.index.rows
            heights, widths = rows["height"].astype(np.int64), rows["width"].astype(np.int64)
        else:
            # Room for those that do not decode, too: the rows then are those of one array.
            heights, widths = (np.full(len(self.scaled), side, np.int64) for side in self.shape[:2])
        kept = ~self.scaled
        return Layout.of(heights * kept, widths * kept, self.viewing.channels)

    @property
    def name(self) -> str:
        """The name of the cache: all that its bytes follow from."""
        kind = self.viewing.kind + ("" if not self.cropped else "-exact" if self.viewing.exact else "-fast")
        size = self.viewing.size if self.viewing.kind != "stored" or self.scaled.any() else 0
        decoders = [version(name) for name in ("pillow", "simplejpeg")]
        made_by = sha256(repr((_FORMAT, kind, size, self.viewing.channels, decoders)).encode()).hexdigest()
        return f"{self.manifest.digest[:16]}-{self.split}{self._part}-{kind}{size or ''}-{made_by[:8]}"

    @property
    def _part(self) -> str:
        """Which samples, "" where all of the split."""
        index = self.reader.index
        whole = len(index) == self.manifest.split(self.split).samples
        return "" if whole else f"-{sha256(index.ids.tobytes()).hexdigest()[:8]}"

    def decode(self, row: int) -> Original | None:
        """The pixels of sample `row` to keep; None where it does not decode."""
        if self.reader.index.rows["height"][row] == 0:
            return None
        data = self.reader.read(row)
        try:
            if self.cropped:
                return original(data, self.viewing.channels, exact=self.viewing.exact)
            return Original(self.viewing.cut(decode(data, self.viewing.channels)), 1)
        except UndecodableError:
            return None


class Cached:
    """A source of rows from a cache; of samples that are not kept, from `stream`.

    `images` (N, H, W, C) uint8 in index order where views of one size are kept, else None; `decoded` (N,) bool of
    those kept; `folder` is the cache's.
    """

    def __init__(self, folder: Path, cache: PixelCache, plan: CachePlan, stream: Stream) -> None:
        self.folder, self._cache, self._stream = folder, cache, stream
        self._streamed = plan.scaled
        # Whole images that crops are still to be cut from are nobody's batch, even where all have one size.
        shape = None if plan.cropped else plan.shape
        self.images: Pixels | None = None if shape is None else cache.pixels.reshape(-1, *shape)
        self.decoded: NDArray[np.bool_] = cache.turns > 0

    def ahead(self, positions: Positions) -> AbstractContextManager[object]:
        return self._stream.ahead(positions[self._streamed[positions]]) if self._streamed.any() else nullcontext()

    def fill(
        self, positions: Positions, out: Pixels, draw: Draw | None = None, crops: Crops | None = None
    ) -> NDArray[np.bool_]:
        if crops is None:
            assert self.images is not None
            out[:] = self.images[positions]
            return self.decoded[positions]
        good: NDArray[np.bool_] = self.decoded[positions]
        for place in np.flatnonzero(self._streamed[positions]).tolist():
            one = slice(place, place + 1)
            good[one] = self._stream.fill(positions[one], out[one], None, Crops(crops.boxes[one], crops.flips[one]))
        # Lists: taking numbers out of an array one by one costs more.
        rows, boxes, flips = positions.tolist(), crops.boxes.tolist(), crops.flips.tolist()
        for place in np.flatnonzero(self.decoded[positions]).tolist():
            crop_original(self._cache.original(rows[place]), tuple(boxes[place]), out[place], flip=flips[place])
        return good

    def image(self, row: int) -> Pixels | None:
        if self._streamed[row]:
            return self._stream.image(row)
        return upright(*self._cache.original(row)) if self.decoded[row] else None


def open_cached_split(caches: Path, plan: CachePlan, stream: Stream, *, limit: int, in_memory: bool) -> Cached:
    """The split as `plan` has it, in a folder of `caches`, decoded now if no process of the node did so before.

    The caches may hold `limit` bytes together. `in_memory`: it is read into the page cache at once.

    Raises:
        NoRoomError: the cache does not fit.
        DataError: a damaged shard.
    """
    kept = np.flatnonzero(np.diff(plan.layout.starts)).astype(np.int32)
    making = Making(
        decode=plan.decode,
        text=f"decoding {plan.split} of {plan.manifest.name}",
        threads=len(os.sched_getaffinity(0)),
        ahead=partial(stream.ahead, kept),
    )
    folder = caches / plan.name
    cache = open_cache(folder, plan.layout, making, limit)
    if in_memory:
        cache.mapped.madvise(mmap.MADV_WILLNEED)
    return Cached(folder, cache, plan, stream)
