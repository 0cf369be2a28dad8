"""Shards that others wrote for WebDataset: any samples with one image and its class. Images are stored as they are."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from paribus.data.errors import DataError
from paribus.data.sources.class_names import class_numbers
from paribus.data.sources.image_folder import SUFFIXES
from paribus.data.sources.names import Names
from paribus.data.sources.source import Listing, Source, tidy_key
from paribus.data.sources.tar_members import Found, Member, members, opened


def webdataset_shards(specs: Mapping[str, str], label_field: str | None = None, quiet: bool = True) -> Source:
    """The samples of local shards; `specs` gives each split's as WebDataset writes them: /data/train-{0000..0009}.tar.

    A sample's class is its file .cls (a name or a number), or with `label_field` that field of its .json; its image is
    its one file with an image's suffix. Where keys repeat, the names of their shards are put before them all.
    Not `quiet`: progress of the scan on stderr.

    Raises:
        DataError: shards that are missing or broken; a sample without a class, or with no image or several.
    """
    splits, labels, loads = {}, {}, {}
    for split, spec in specs.items():
        scan = _Scan(_paths(spec), label_field, quiet)
        found = Found.of(scan.images())
        if not scan.keys:
            raise DataError(f"the shards {spec} of split {split!r} hold no sample")
        labels[split], loads[split] = scan.labels, found.load(*scan.paths)
        splits[split] = scan
    classes, numbers = class_numbers(labels)
    return Source(
        name=splits["train"].paths[0].resolve().parent.name,
        classes=classes,
        splits={
            split: Listing(keys=scan.names(), labels=numbers[split], sizes=loads[split].lengths, load=loads[split])
            for split, scan in splits.items()
        },
        made={"source": "webdataset"},
    )


@dataclass
class _Scan:
    """Goes through shards, and keeps each sample's key and class; `images` yields where its image lies."""

    paths: list[Path]
    label_field: str | None
    quiet: bool
    keys: list[tuple[int, str]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def images(self) -> Iterator[tuple[int, Member]]:
        """The image of each sample, with the number of its shard."""
        from rich.console import Console
        from rich.progress import track

        shown = track(self.paths, "shards read", console=Console(stderr=True), disable=self.quiet)
        for number, path in enumerate(shown):
            with opened(path) as stream:
                for key, files in _samples(path):
                    where = f"{path}: sample {key!r}"
                    self.labels.append(self._label(where, files, stream.fileno()))
                    self.keys.append((number, tidy_key(key)))
                    yield number, _image(where, files)

    def names(self) -> Names:
        """The keys, with their shards' names where they would not be unique."""
        if len({key for _, key in self.keys}) == len(self.keys):
            return Names(key for _, key in self.keys)
        return Names(f"{tidy_key(self.paths[number].stem)}/{key}" for number, key in self.keys)

    def _label(self, where: str, files: dict[str, Member], descriptor: int) -> str:
        suffix = "cls" if self.label_field is None else "json"
        if suffix not in files:
            hint = "say with --label-field which field of .json holds it" if "json" in files else "it needs one"
            raise DataError(f"{where} has no file .{suffix} for its class ({', '.join(files)}): {hint}")
        data = os.pread(descriptor, files[suffix].length, files[suffix].offset)
        try:
            text = data.decode().strip()
            label = text if self.label_field is None else json.loads(text)[self.label_field]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{where}: its .{suffix} does not tell its class ({error!r})") from None
        if isinstance(label, bool) or not isinstance(label, str | int) or label == "":
            raise DataError(f"{where}: class {label!r} is neither a name nor a whole number")
        return str(label)


def _samples(path: Path) -> Iterator[tuple[str, dict[str, Member]]]:
    """Key, and the sample's files by suffix; grouped as WebDataset groups them."""
    # Imported here: WebDataset brings torch.
    from webdataset.tariterators import base_plus_ext

    parts = ((*base_plus_ext(member.name), member) for member in members(path) if not _is_meta(member.name))
    for key, group in groupby((part for part in parts if part[0] is not None), key=lambda part: part[0]):
        files: dict[str, Member] = {}
        for _, suffix, member in group:
            if suffix.lower() in files:
                raise DataError(
                    f"{path}: sample {key!r} has two files .{suffix.lower()}: each sample needs its own key"
                )
            files[suffix.lower()] = member
        yield key.removeprefix("./"), files


def _is_meta(name: str) -> bool:
    # WebDataset keeps notes of its own under such names.
    first = name.split("/")[0]
    return len(first) > 4 and first.startswith("__") and first.endswith("__")


def _image(where: str, files: dict[str, Member]) -> Member:
    images = [member for suffix, member in files.items() if f".{suffix}" in SUFFIXES]
    if len(images) != 1:
        raise DataError(
            f"{where} has {len(images)} images among its files ({', '.join(files)}): it should have one, called as one "
            f"of {', '.join(SUFFIXES)}"
        )
    return images[0]


def _paths(spec: str) -> list[Path]:
    from braceexpand import braceexpand

    if "://" in spec or spec.startswith("pipe:"):
        raise DataError(f"{spec!r} is an address: copy the shards into a folder first, they are read out of order")
    try:
        paths = [Path(path).expanduser() for path in braceexpand(spec)]
    except ValueError as error:
        raise DataError(f"{spec!r} has braces without their partners: {error}") from None
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DataError(f"{missing[0]} is no file ({len(missing)} of the {len(paths)} shards of {spec!r} are missing)")
    return paths
