"""Write a source as tar shards, indexes and a manifest: all at once or not at all, and always the same bytes."""

import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from io import BytesIO
from math import sqrt
from pathlib import Path
from zlib import crc32

import numpy as np

from paribus.data.atomic import lock, new_folder, require_disk
from paribus.data.counters import sample_ids
from paribus.data.decode import Pixels, decode, is_grey
from paribus.data.errors import DataError, UndecodableError
from paribus.data.index import ROW, Rows, index_bytes, index_files, keys_bytes
from paribus.data.manifest import MANIFEST, Manifest, Shard, Split
from paribus.data.sources.source import Item, Source

TRAIN = "train"
Sized = tuple[Item, tuple[int, int]]
SHARD_SIZE, SHARD_MIB = 10_000, 64
_NAMED = 5


def make_shards(
    source: Source,
    folder: Path,
    *,
    shard_size: int = SHARD_SIZE,
    shard_mib: int = SHARD_MIB,
    keep_undecodable: bool = False,
    quiet: bool = True,
) -> Manifest:
    """Write `source` to the new `folder`; equal sources and options give equal bytes, so equal digests.

    A shard ends at `shard_size` samples or `shard_mib` MiB of files, whichever comes first. Not `quiet`: progress on
    stderr. Two makers of one folder wait for each other.

    Raises:
        DataError: `folder` exists, no train split, too little disk, or images that do not decode (named; with
            `keep_undecodable` they are stored as they are, and training skips them up to its limit).
    """
    if TRAIN not in source.counts:
        raise DataError(f"{source.name} has no split {TRAIN!r}, only {', '.join(source.counts)}: training needs one")
    if shard_size < 1 or shard_mib < 1:
        raise DataError(f"a shard of {shard_size} samples and {shard_mib} MiB: both must be at least 1")
    with lock(folder):
        if folder.exists():
            raise DataError(f"{folder} exists: remove it, or name another folder")
        require_disk(folder, source.num_bytes)
        with new_folder(folder) as partial, _progress(source, quiet) as tick:
            survey = _Survey()
            splits = {
                name: _write_split(partial, name, _surveyed(source, name, survey, tick), (shard_size, shard_mib << 20))
                for name in source.counts
            }
            if survey.undecodable and not keep_undecodable:
                raise DataError(_undecodable_text(source, survey.undecodable))
            options = {"shard_size": shard_size, "shard_mib": shard_mib}
            manifest = survey.manifest(source, splits, {**source.made, **options})
            (partial / MANIFEST).write_text(manifest.write())
        return manifest


@dataclass
class _Survey:
    """What is learnt from the pixels while they pass by; sums are whole numbers, so their order cannot matter."""

    sizes: set[tuple[int, int]] = field(default_factory=set)
    grey: bool = True
    pixels: int = 0
    total: list[int] = field(default_factory=lambda: [0, 0, 0])
    squares: list[int] = field(default_factory=lambda: [0, 0, 0])
    undecodable: list[str] = field(default_factory=list)

    def see(self, item: Item, split: str) -> tuple[int, int]:
        """(height, width) in pixels; (0, 0) where the file does not decode."""
        try:
            # In colour, because only the last file tells whether all are grey.
            pixels = item.pixels if item.pixels is not None else decode(item.data, 3)
            self.grey = self.grey and (pixels.shape[2] == 1 or (item.pixels is None and is_grey(item.data)))
        except UndecodableError as error:
            self.undecodable.append(f"{split}: {item.key}.{item.suffix} ({error})")
            return (0, 0)
        self.sizes.add((pixels.shape[0], pixels.shape[1]))
        if split == TRAIN:
            self._add(pixels)
        return pixels.shape[0], pixels.shape[1]

    def _add(self, pixels: Pixels) -> None:
        flat = pixels.reshape(-1, pixels.shape[2])
        values = np.arange(256)
        self.pixels += len(flat)
        for channel in range(flat.shape[1]):
            histogram = np.bincount(flat[:, channel], minlength=256)
            self.total[channel] += int(histogram @ values)
            self.squares[channel] += int(histogram @ values**2)

    def manifest(self, source: Source, splits: dict[str, Split], made: dict[str, str | int | bool]) -> Manifest:
        if not self.pixels:
            raise DataError(f"no training image of {source.name} decodes")
        channels = 1 if self.grey else 3
        heights, widths = zip(*self.sizes, strict=True)
        mean = [total / self.pixels for total in self.total[:channels]]
        # n * sum of squares - (sum)^2 in whole numbers: no cancellation.
        spread = [
            self.pixels * squares - total**2
            for total, squares in zip(self.total[:channels], self.squares, strict=False)
        ]
        return Manifest(
            name=source.name,
            classes=source.classes,
            channels=1 if channels == 1 else 3,
            smallest=(min(heights), min(widths)),
            largest=(max(heights), max(widths)),
            mean=tuple(value / 255 for value in mean),
            sd=tuple(sqrt(value) / self.pixels / 255 for value in spread),
            undecodable=len(self.undecodable),
            splits=splits,
            made=made,
        )


def _surveyed(source: Source, split: str, survey: _Survey, tick: Callable[[], None]) -> Iterator[Sized]:
    for item in source.items(split):
        size = survey.see(item, split)
        tick()
        yield item, size


def _write_split(folder: Path, name: str, items: Iterable[Sized], limits: tuple[int, int]) -> Split:
    keys: list[str] = []
    rows: list[Rows] = []
    shards = []
    for number, group in enumerate(_groups(items, *limits)):
        shard, described = _write_shard(folder / f"{name}-{number:06d}.tar", group)
        keys += [item.key for item, _ in group]
        rows.append(described)
        shards.append(shard)
    if not keys:
        raise DataError(f"split {name!r} has no samples: remove it or fill it")
    numbers, names = index_bytes(np.concatenate(rows)), keys_bytes(keys)
    index, listed = index_files(name)
    (folder / index).write_bytes(numbers)
    (folder / listed).write_bytes(names)
    return Split(
        samples=len(keys),
        index=index,
        index_sha256=sha256(numbers).hexdigest(),
        keys=listed,
        keys_sha256=sha256(names).hexdigest(),
        shards=tuple(shards),
    )


def _groups(items: Iterable[Sized], max_samples: int, max_bytes: int) -> Iterator[list[Sized]]:
    group: list[Sized] = []
    size = 0
    for item, pixels in items:
        if group and (len(group) == max_samples or size + len(item.data) > max_bytes):
            yield group
            group, size = [], 0
        group.append((item, pixels))
        size += len(item.data)
    if group:
        yield group


def _write_shard(path: Path, items: list[Sized]) -> tuple[Shard, Rows]:
    rows = np.zeros(len(items), ROW)
    rows["id"] = sample_ids([item.key for item, _ in items])
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for row, (item, (height, width)) in zip(rows, items, strict=True):
            row["offset"] = _add_member(tar, f"{item.key}.{item.suffix}", item.data)
            row["length"], row["crc"], row["label"] = len(item.data), crc32(item.data), item.label
            row["height"], row["width"] = height, width
            _add_member(tar, f"{item.key}.cls", str(item.label).encode())
    with path.open("rb") as handle:
        digest = file_digest(handle, "sha256").hexdigest()
    return Shard(file=path.name, samples=len(items), bytes=path.stat().st_size, sha256=digest), rows


def _add_member(tar: tarfile.TarFile, name: str, data: bytes) -> int:
    """Where the data begin."""
    # TarInfo's defaults are time 0 and owner 0: nothing of this machine enters the bytes.
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, BytesIO(data))
    padded = -(-len(data) // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
    return int(tar.offset) - padded


def _undecodable_text(source: Source, names: list[str]) -> str:
    shown = "; ".join(names[:_NAMED]) + (f"; and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return (
        f"{len(names)} of {source.name}'s images do not decode: {shown}. Repair or remove them, or keep them with "
        "--keep-undecodable (training skips at most data.max_undecodable of its samples, evaluation none)"
    )


@contextmanager
def _progress(source: Source, quiet: bool) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), disable=quiet) as bar:
        task = bar.add_task(f"{source.name}: samples written", total=sum(source.counts.values()))
        yield lambda: bar.advance(task)
