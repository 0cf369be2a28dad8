"""A folder of images, SPLIT/CLASS/FILE; the files' bytes are stored as they are."""

import os
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISREG

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.counters import Ids, keyed_hash, sample_ids
from paribus.shards.sources.class_names import renumbered
from paribus.shards.sources.file_type import IMAGE_SUFFIXES
from paribus.shards.sources.names import Names
from paribus.shards.sources.source import File, Listing, Source, tidy_key

SUFFIXES = tuple(sorted(f".{suffix}" for suffix in IMAGE_SUFFIXES))


_LISTED = 8


def image_folder(root: Path) -> Source:
    """The images under `root`: its folders are the splits, theirs the classes, sorted by name; one must be `train`.

    A split's samples are stored in the order of a hash of their names, so that no shard holds one class alone. What is
    hidden (`._x.png`, `.thumbnails/x.png`) is no image of the set.

    Raises:
        DataError: no folder, no class, a class without images, or splits with different classes; an image that is no
            file, a name that is not UTF-8, or two files whose names differ in their suffix alone.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder of images: it should hold train/CLASS/*.jpg and test/CLASS/*.jpg")
    splits = sorted((folder.name for folder in _folders(root)), key=lambda name: (name != "train", name))
    if "train" not in splits:
        raise DataError(_without_train(root, splits))
    classes = tuple(folder.name for folder in _folders(root / "train"))
    if not classes:
        raise DataError(f"{root / 'train'} has no class folders: images go into train/CLASS/")
    return Source(
        name=os.fsencode(root.resolve().name).decode("utf-8", "replace"),
        classes=classes,
        splits={split: _listing(root / split, classes) for split in splits},
        made={"source": "image folder"},
        in_order=True,
        notes=tuple(_notes(root, splits, classes)),
    )


def _without_train(root: Path, found: list[str]) -> str:
    """What to do with a folder that holds no `train`: most hold their classes, and need to become its `train`."""
    if not found:
        return f"{root} has no folder 'train' (found: no folders): images go into train/CLASS/ and test/CLASS/"
    if any(_is_image(path, root) for name in found for path in (root / name).iterdir()):
        inner = " ".join(shlex.quote(str(root / name)) for name in found[:_LISTED])
        more = " ..." if len(found) > _LISTED else ""
        train = shlex.quote(str(root / "train"))
        return (
            f"{root} has no folder 'train', and its folders hold images ({', '.join(found[:_LISTED])}{more}). Where "
            f"they are the classes: mkdir {train} && mv {inner}{more} {train}, and let --hold-out test=0.2 set a fifth "
            "of them apart to judge on"
        )
    return f"{root} has no folder 'train' (found: {', '.join(found)}): put the classes there"


def _notes(root: Path, splits: list[str], classes: tuple[str, ...]) -> Iterator[str]:
    """What was left out, and folders called by numbers that are not those of their classes."""
    odd: Counter[str] = Counter()
    for split in splits:
        for path in (root / split).rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if not hidden and path.suffix.lower() not in SUFFIXES and not path.is_dir():
                odd[path.suffix.lower() or "no suffix"] += 1
    if odd:
        listed = ", ".join(f"{num:,} {suffix}" for suffix, num in odd.most_common(_LISTED))
        yield f"{sum(odd.values()):,} files are not called as images that are read here and were left out ({listed})"
    if note := renumbered(classes, "the class numbers, sorted as text,"):
        yield note.partition(". --")[0]


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
    order = np.argsort(keyed_hash(_ids(folder, paths), "image folder"), kind="stable")
    paths = paths.take(order)
    keys = Names(_key(path) for path in paths)
    return Listing(keys=keys, labels=labels[order], sizes=sizes[order], load=_Files(folder, paths))


def _ids(folder: Path, paths: Names) -> Ids:
    """The numbers of the samples, by their keys; DataError where two files have one key."""
    ids = sample_ids([_key(path) for path in paths])
    order = np.argsort(ids, kind="stable")
    same = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if len(same):
        first, second = (paths[int(order[same[0] + further])] for further in (0, 1))
        raise DataError(
            f"{folder / first} and {folder / second} would be one sample, {_key(first)!r}: a sample is called by its "
            "file's name without the suffix, so rename or remove one of them"
        )
    return ids


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
        images = sorted(path for path in (folder / name).rglob("*") if _is_image(path, folder / name))
        if not images:
            raise DataError(f"class folder {folder / name} has no images: fill it, or remove it from every split")
        sizes.append(np.array([_size(path, folder) for path in images], np.int64))
        yield from (path.relative_to(folder).as_posix() for path in images)


def _is_image(path: Path, folder: Path) -> bool:
    """Whether a path below `folder` is called like an image and is not hidden; what cannot be read says so later."""
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        return False
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _size(path: Path, folder: Path) -> int:
    """Bytes of an image file; DataError for what is none, or has a name that no manifest can hold."""
    try:
        str(path.relative_to(folder)).encode()  # the name of the folder itself goes into no manifest
        status = path.stat()
    except UnicodeEncodeError:
        raise DataError(f"the name of {os.fsencode(path)!r} is not UTF-8: rename it") from None
    except OSError as error:
        what = "is a link to nothing" if path.is_symlink() else f"cannot be read ({error.strerror})"
        raise DataError(f"{path} {what}: mend it, or remove it") from None
    if not S_ISREG(status.st_mode):
        raise DataError(f"{path} is no plain file: remove it")
    return status.st_size


def _key(path: str) -> str:
    return tidy_key(str(PurePosixPath(path).with_suffix("")))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
