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

import numpy as np

from paribus.data.atomic import lock, new_folder, require_disk
from paribus.data.decode import Pixels, decode, is_grey
from paribus.data.errors import DataError, UndecodableError
from paribus.data.manifest import MANIFEST, Manifest, Shard, Split, index_bytes
from paribus.data.sources.source import Item, Source

TRAIN = "train"
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

    def see(self, item: Item, split: str) -> None:
        try:
            # In colour, because only the last file tells whether all are grey.
            pixels = item.pixels if item.pixels is not None else decode(item.data, 3)
            self.grey = self.grey and (pixels.shape[2] == 1 or (item.pixels is None and is_grey(item.data)))
        except UndecodableError as error:
            self.undecodable.append(f"{split}: {item.key}.{item.suffix} ({error})")
            return
        self.sizes.add((pixels.shape[0], pixels.shape[1]))
        if split == TRAIN:
            self._add(pixels)

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


def _surveyed(source: Source, split: str, survey: _Survey, tick: Callable[[], None]) -> Iterator[Item]:
    for item in source.items(split):
        survey.see(item, split)
        tick()
        yield item


def _write_split(folder: Path, name: str, items: Iterable[Item], limits: tuple[int, int]) -> Split:
    keys: list[str] = []
    labels: list[int] = []
    shards = []
    for number, group in enumerate(_groups(items, *limits)):
        keys += [item.key for item in group]
        labels += [item.label for item in group]
        shards.append(_write_shard(folder / f"{name}-{number:06d}.tar", group))
    if not keys:
        raise DataError(f"split {name!r} has no samples: remove it or fill it")
    index = index_bytes(keys, labels)
    file = f"{name}.index.tsv"
    (folder / file).write_bytes(index)
    return Split(samples=len(keys), index=file, index_sha256=sha256(index).hexdigest(), shards=tuple(shards))


def _groups(items: Iterable[Item], max_samples: int, max_bytes: int) -> Iterator[list[Item]]:
    group: list[Item] = []
    size = 0
    for item in items:
        if group and (len(group) == max_samples or size + len(item.data) > max_bytes):
            yield group
            group, size = [], 0
        group.append(item)
        size += len(item.data)
    if group:
        yield group


def _write_shard(path: Path, items: Iterable[Item]) -> Shard:
    count = 0
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for item in items:
            _add_member(tar, f"{item.key}.{item.suffix}", item.data)
            _add_member(tar, f"{item.key}.cls", str(item.label).encode())
            count += 1
    with path.open("rb") as handle:
        digest = file_digest(handle, "sha256").hexdigest()
    return Shard(file=path.name, samples=count, bytes=path.stat().st_size, sha256=digest)


def _add_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    # TarInfo's defaults are time 0 and owner 0: nothing of this machine enters the bytes.
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, BytesIO(data))


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
