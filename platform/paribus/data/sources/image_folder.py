"""A folder of images, SPLIT/CLASS/FILE; the files' bytes are stored as they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from paribus.data.counters import keyed_hash, sample_ids
from paribus.data.errors import DataError
from paribus.data.sources.names import Names
from paribus.data.sources.source import File, Listing, Source, tidy_key

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")


def image_folder(root: Path) -> Source:
    """The images under `root`: its folders are the splits, theirs the classes, sorted by name; one must be `train`.

    A split's samples are stored in the order of a hash of their names, so that no shard holds one class alone.

    Raises:
        DataError: no folder, no class, a class without images, or splits with different classes.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder of images: it should hold train/CLASS/*.jpg and test/CLASS/*.jpg")
    splits = sorted((folder.name for folder in _folders(root)), key=lambda name: (name != "train", name))
    if "train" not in splits:
        raise DataError(
            f"{root} has no folder 'train' (found: {', '.join(splits) or 'no folders'}): put the classes there"
        )
    classes = tuple(folder.name for folder in _folders(root / "train"))
    if not classes:
        raise DataError(f"{root / 'train'} has no class folders: images go into train/CLASS/")
    return Source(
        name=root.resolve().name,
        classes=classes,
        splits={split: _listing(root / split, classes) for split in splits},
        made={"source": "image folder"},
        in_order=True,
    )


@dataclass(frozen=True)
class _Files:
    """Loads the file of a row; `paths` are relative to `folder`."""

    folder: Path
    paths: Names

    def __call__(self, row: int) -> File:
        path = self.folder / self.paths[row]
        return File(suffix=path.suffix[1:].lower(), data=path.read_bytes())


def _listing(folder: Path, classes: tuple[str, ...]) -> Listing:
    paths, labels, sizes = _files(folder, classes)
    # Its own hash, older than the writer's: the order of sets made from folders must not change.
    order = np.argsort(keyed_hash(sample_ids([_key(path) for path in paths]), "image folder"), kind="stable")
    paths = paths.take(order)
    keys = Names(_key(path) for path in paths)
    return Listing(keys=keys, labels=labels[order], sizes=sizes[order], load=_Files(folder, paths))


def _files(folder: Path, classes: tuple[str, ...]) -> tuple[Names, NDArray[np.int64], NDArray[np.int64]]:
    """Paths below `folder`, labels and sizes in bytes (N,), class by class."""
    found = {path.name for path in _folders(folder)}
    if found != set(classes):
        odd = sorted(found ^ set(classes))
        raise DataError(f"{folder} and its sibling train/ have different classes ({', '.join(odd)}): make them agree")
    sizes: list[NDArray[np.int64]] = []
    paths = Names(_walk(folder, classes, sizes))
    labels = np.repeat(np.arange(len(classes)), [len(part) for part in sizes])
    return paths, labels, np.concatenate(sizes)


def _walk(folder: Path, classes: tuple[str, ...], sizes: list[NDArray[np.int64]]) -> Iterator[str]:
    """The paths of one class after the other; the sizes of each class's files are appended to `sizes`."""
    for name in classes:
        images = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        if not images:
            raise DataError(f"class folder {folder / name} has no images: fill it, or remove it from every split")
        sizes.append(np.array([path.stat().st_size for path in images], np.int64))
        yield from (path.relative_to(folder).as_posix() for path in images)


def _key(path: str) -> str:
    return tidy_key(str(PurePosixPath(path).with_suffix("")))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
