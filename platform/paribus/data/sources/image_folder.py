"""A folder of images, SPLIT/CLASS/FILE; the files' bytes are stored as they are."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from paribus.data.counters import keyed_hash, sample_ids
from paribus.data.errors import DataError
from paribus.data.sources.source import Item, Source

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
    files = {split: _shuffled(root / split, _files(root / split, classes)) for split in splits}
    num_bytes = sum(path.stat().st_size + 2048 for paths in files.values() for path, _ in paths)

    def items(split: str) -> Iterator[Item]:
        for path, label in files[split]:
            data = path.read_bytes()
            yield Item(key=_key(root / split, path), label=label, suffix=path.suffix[1:].lower(), data=data)

    return Source(
        name=root.resolve().name,
        classes=classes,
        counts={split: len(paths) for split, paths in files.items()},
        items=items,
        num_bytes=num_bytes,
        made={"source": "image folder"},
    )


def _files(folder: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    found = {path.name for path in _folders(folder)}
    if found != set(classes):
        odd = sorted(found ^ set(classes))
        raise DataError(f"{folder} and its sibling train/ have different classes ({', '.join(odd)}): make them agree")
    files = []
    for label, name in enumerate(classes):
        paths = sorted(path for path in (folder / name).rglob("*") if path.suffix.lower() in SUFFIXES)
        if not paths:
            raise DataError(f"class folder {folder / name} has no images: fill it, or remove it from every split")
        files += [(path, label) for path in paths]
    return files


def _shuffled(folder: Path, files: list[tuple[Path, int]]) -> list[tuple[Path, int]]:
    ids = sample_ids([_key(folder, path) for path, _ in files])
    return [files[row] for row in np.argsort(keyed_hash(ids, "image folder"), kind="stable")]


def _key(folder: Path, path: Path) -> str:
    # WebDataset ends a key at the first dot of the file's name, and the index at a tab or the end of the line.
    name = path.relative_to(folder).with_suffix("").as_posix()
    return name.replace(".", "_").replace("\t", "_").replace("\n", "_")


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
