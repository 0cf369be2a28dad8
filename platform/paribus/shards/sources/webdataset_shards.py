"""Shards that others wrote for WebDataset, to be repacked: an image a sample and its class. Images stay as they are."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path

from paribus.errors import DataError
from paribus.shards.in_place.found import find_shards
from paribus.shards.in_place.layout import (
    MAX_LEFT_OUT,
    NAMED,
    Layout,
    SampleError,
    is_text,
    layout_of,
    left_out_text,
    may_leave_out,
)
from paribus.shards.in_place.tar_stream import Part, Sample, is_meta, split_name
from paribus.shards.sources.class_names import ClassNumbers, class_numbers
from paribus.shards.sources.names import Names
from paribus.shards.sources.source import Listing, Source, tidy_key
from paribus.shards.sources.tar_members import Found, Member, members, opened

_LOOKED_AT = 200


@dataclass(frozen=True, kw_only=True)
class Taken:
    """How a stranger's samples are taken: their image and class where that is not plain, and how many may lack them."""

    image: str | None = None
    label: str | None = None
    class_numbers: ClassNumbers = "map"
    max_left_out: float = MAX_LEFT_OUT


def webdataset_shards(specs: Mapping[str, str], taken: Taken = Taken(), quiet: bool = True) -> Source:
    """The samples of local shards; `specs` gives each split's: /data/train-{0000..0009}.tar, a glob, a folder, a tar.

    What a sample's image and class are is `layout_of`'s to find. Where keys repeat, the names of their shards are put
    before them all. At most `max_left_out` of a split's samples, and always one, may lack either: they are left out and
    named in the source's notes. Not `quiet`: progress of the scan on stderr.

    Raises:
        DataError: shards that are missing, broken or not on this machine; a layout that must be asked for; more samples
            without class or image than may be left out.
    """
    splits, labels, loads = {}, {}, {}
    paths = {split: _paths(spec) for split, spec in specs.items()}
    layout = _layout(paths["train"][0], taken)
    for split, spec in specs.items():
        scan = _Scan(paths[split], layout, quiet)
        found = Found.of(scan.images())
        if not scan.keys and not scan.left_out:
            raise DataError(f"the shards {spec} of split {split!r} hold no sample")
        scan.check_left_out(split, taken.max_left_out)
        labels[split], loads[split] = scan.labels, found.load(*scan.paths)
        splits[split] = scan
    numbered = class_numbers(labels, taken.class_numbers)
    made = {"source": "webdataset"} | ({"class_numbers": "keep"} if taken.class_numbers == "keep" else {})
    return Source(
        name=paths["train"][0].resolve().parent.name,
        classes=numbered.classes,
        splits={
            split: Listing(
                keys=scan.names(), labels=numbered.numbers[split], sizes=loads[split].lengths, load=loads[split]
            )
            for split, scan in splits.items()
        },
        made=made,
        notes=(layout.words, *numbered.notes, *(note for split, scan in splits.items() for note in scan.notes(split))),
    )


@dataclass
class _Scan:
    """Goes through shards, and keeps each sample's key and class; `images` yields where its image lies."""

    paths: list[Path]
    layout: Layout
    quiet: bool
    keys: list[tuple[int, str]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def images(self) -> Iterator[tuple[int, Member]]:
        """The image of each sample, with the number of its shard."""
        from rich.console import Console
        from rich.progress import track

        shown = track(self.paths, "shards read", console=Console(stderr=True), disable=self.quiet)
        for number, path in enumerate(shown):
            for sample in _samples(path, lambda suffix: suffix == self.layout.label):
                try:
                    suffix, image = self.layout.image_of(sample)
                    label = self.layout.label_of(sample)
                except SampleError as error:
                    self.left_out.append(f"{path}: sample {sample.key!r} {error}")
                    continue
                self.labels.append(label)
                self.keys.append((number, tidy_key(sample.key)))
                yield number, Member(name=f"{sample.key}.{suffix}", offset=image.offset, length=image.length)

    def names(self) -> Names:
        """The keys, with their shards' names where they would not be unique."""
        if len({key for _, key in self.keys}) == len(self.keys):
            return Names(key for _, key in self.keys)
        return Names(f"{tidy_key(self.paths[number].stem)}/{key}" for number, key in self.keys)

    def check_left_out(self, split: str, share: float) -> None:
        """DataError where more samples were left out than `share` of the split; one is always allowed."""
        num = len(self.left_out) + len(self.keys)
        if len(self.left_out) > may_leave_out(num, share) or not self.keys:
            raise DataError(left_out_text(split, self.left_out, num, share))

    def notes(self, split: str) -> Iterator[str]:
        """What was left out, for people."""
        if self.left_out:
            more = f"; and {len(self.left_out) - NAMED} more" if len(self.left_out) > NAMED else ""
            yield f"{len(self.left_out)} samples of {split} are left out: {'; '.join(self.left_out[:NAMED])}{more}"


def _layout(path: Path, taken: Taken) -> Layout:
    return layout_of([*islice(_samples(path, is_text), _LOOKED_AT)], str(path), taken.image, taken.label)


def _samples(path: Path, wanted: Callable[[str], bool]) -> Iterator[Sample]:
    """The samples of a shard, grouped as WebDataset groups them; the bytes of those files alone that are `wanted`."""
    parts = ((*split_name(member.name), member) for member in members(path) if not is_meta(member.name))
    with opened(path) as stream:
        for key, group in groupby((part for part in parts if part[0] is not None), key=lambda part: part[0]):
            files: dict[str, Part] = {}
            repeated = None
            for _, suffix, member in group:
                suffix = suffix.lower()
                repeated = suffix if suffix in files else repeated
                data = os.pread(stream.fileno(), member.length, member.offset) if wanted(suffix) else None
                files[suffix] = Part(offset=member.offset, length=member.length, data=data)
            yield Sample(key=key.removeprefix("./"), parts=files, repeated=repeated)


def _paths(spec: str) -> list[Path]:
    if "://" in spec and not spec.startswith("file://"):
        raise DataError(
            f"{spec!r} is an address, and repacking reads out of order: use the shards where they lie, with "
            f"`paribus shards index {spec!r} --split train FOLDER`, or copy them into a folder first"
        )
    shards = find_shards(spec)
    return [Path(shards.root) / file for file in shards.files]
