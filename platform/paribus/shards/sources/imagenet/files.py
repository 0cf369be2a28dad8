"""ImageNet as distributed for ILSVRC2012 (Russakovsky et al. 2015): its tars, or the folders that they unpack to.

The classes are the WordNet ids, sorted: the numbers that torchvision, timm and Keras give them. Files are stored as
they are, their suffix by what they hold: one PNG among them is called JPEG.
"""

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.sources.choose import take
from paribus.shards.sources.imagenet.devkit import ARCHIVE, Devkit, read_devkit
from paribus.shards.sources.names import Names
from paribus.shards.sources.path_files import PathFiles
from paribus.shards.sources.source import Listing, Source, tidy_key
from paribus.shards.sources.tar_members import Found, Member, TarFiles, members, nested_members

TRAIN_TAR, VAL_TAR = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"
NUM_CLASSES, NUM_TRAIN, NUM_VAL = 1000, 1_281_167, 50_000
_VAL_NAME = re.compile(r"ILSVRC2012_val_(\d{8})")
_NO_CLASS = -1


def imagenet(root: Path, blacklist: Path | None = None, quiet: bool = True) -> Source:
    """The splits `train` and `val` of what lies in the folder `root`:

    ILSVRC2012_img_train.tar or train/WNID/*.JPEG; ILSVRC2012_img_val.tar or val/**/*.JPEG; the development kit, as
    ILSVRC2012_devkit_t12.tar.gz or its folder. A part of them is a legal set: what it lacks is said on stderr, and
    validation images of classes that train lacks are left out, as are those whose numbers, a line each, `blacklist`
    names. Not `quiet`: progress of the scan on stderr.

    Raises:
        DataError: files that are missing, cut, or of no class; a blacklist with other than validation numbers.
    """
    if not root.is_dir():
        raise DataError(f"{root} is no folder: it should hold {TRAIN_TAR}, {VAL_TAR} and {ARCHIVE}")
    kit = read_devkit(root)
    left_out = frozenset() if blacklist is None else _blacklist(blacklist, len(kit.validation))
    wnids, train = _train(root, kit, quiet)
    whole = _val(root, kit, wnids, left_out)
    val = take(whole, np.flatnonzero(whole.labels != _NO_CLASS))
    if not len(val):
        raise DataError(f"{root} has no validation image of the {len(wnids)} classes that its training images have")
    counts = {"classes": (len(wnids), NUM_CLASSES), "training images": (len(train), NUM_TRAIN)}
    counts["validation images"] = (len(val) + len(left_out), NUM_VAL)
    lacks = [f"{count:,} of {full:,} {name}" for name, (count, full) in counts.items() if count != full]
    if lacks:
        print(f"note: {root} holds a part of ILSVRC2012: {', '.join(lacks)}", file=sys.stderr)
    made: dict[str, str | int | bool] = {"source": "ILSVRC2012"}
    if left_out:
        made["left_out"] = len(left_out)
    return Source(name="imagenet", classes=wnids, splits={"train": train, "val": val}, made=made)


def _train(root: Path, kit: Devkit, quiet: bool) -> tuple[tuple[str, ...], Listing]:
    """The WordNet ids that have images, sorted, and the images."""
    if (root / TRAIN_TAR).is_file():
        names, found = _scan(root / TRAIN_TAR, quiet)
        groups, lengths = found.groups, found.lengths
        load: TarFiles | PathFiles = found.load(root / TRAIN_TAR)
        files = found.names
    else:
        load, names, groups = _class_folders(root / "train")
        files, lengths = load.paths, load.sizes()
    unknown = sorted(set(names) - set(kit.wnids))
    if unknown:
        raise DataError(f"{root}: {unknown[0]!r} among the training images is no class of the kit ({ARCHIVE})")
    present = tuple(sorted(names[group] for group in np.unique(groups)))
    labels = np.array([present.index(name) if name in present else _NO_CLASS for name in names], np.int64)[groups]
    keys = Names(f"{present[label]}/{_stem(file)}" for label, file in zip(labels.tolist(), files, strict=True))
    return present, Listing(keys=keys, labels=labels, sizes=lengths, load=load)


def _scan(path: Path, quiet: bool) -> tuple[list[str], Found]:
    """The names of the class tars in the train tar, and their files; a group is a class tar."""
    from rich.console import Console
    from rich.progress import track

    names: list[str] = []

    def found() -> Iterator[tuple[int, Member]]:
        console = Console(stderr=True)
        # How many there are is known at the end alone: the full set's number is a guess that is nearly always right.
        for name, inner in track(
            nested_members(path), f"{path.name}: class tars read", NUM_CLASSES, console=console, disable=quiet
        ):
            names.append(_stem(name))
            yield from ((len(names) - 1, member) for member in inner if not _is_hidden(member.name))

    packed = Found.of(found())
    if not len(packed.names):
        raise DataError(f"{path} holds no image: it should hold one tar for each class")
    return names, packed


def _class_folders(folder: Path) -> tuple[PathFiles, list[str], NDArray[np.int32]]:
    """The images in `folder`/WNID/, the WordNet ids, and (N,) the number of each image's."""
    if not folder.is_dir():
        raise DataError(f"{folder.parent} has neither {TRAIN_TAR} nor the folder train")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    paths = [[f"{name}/{file}" for file in _files(folder / name)] for name in names]
    if not any(paths):
        raise DataError(f"{folder} holds no image: it should hold train/n01440764/*.JPEG and so on")
    groups = np.repeat(np.arange(len(names), dtype=np.int32), [len(part) for part in paths])
    return PathFiles(folder, Names(path for part in paths for path in part)), names, groups


def _val(root: Path, kit: Devkit, wnids: tuple[str, ...], left_out: Collection[int]) -> Listing:
    """All validation images; those of no class of `wnids` and those left out have the label -1."""
    if (root / VAL_TAR).is_file():
        found = Found.of((0, member) for member in members(root / VAL_TAR) if not _is_hidden(member.name))
        files, lengths = found.names, found.lengths
        load: TarFiles | PathFiles = found.load(root / VAL_TAR)
    elif (folder := root / "val").is_dir():
        load = PathFiles(folder, Names(sorted(_files(folder), key=_stem)))
        files, lengths = load.paths, load.sizes()
    else:
        raise DataError(f"{root} has neither {VAL_TAR} nor the folder val")
    numbers = [_val_number(file, len(kit.validation)) for file in files]
    number_of = {wnid: label for label, wnid in enumerate(wnids)}
    labels = [
        _NO_CLASS if number in left_out else number_of.get(kit.validation[number - 1], _NO_CLASS) for number in numbers
    ]
    keys = Names(_stem(file) for file in files)
    return Listing(keys=keys, labels=np.array(labels, np.int64), sizes=lengths, load=load)


def _val_number(file: str, count: int) -> int:
    match = _VAL_NAME.fullmatch(_stem(file))
    number = int(match[1]) if match else 0
    if not 1 <= number <= count:
        raise DataError(f"validation file {file!r} has no class: the kit knows ILSVRC2012_val_00000001 to {count:08d}")
    return number


def _blacklist(path: Path, count: int) -> frozenset[int]:
    numbers = set()
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the blacklist {path} cannot be read: {error}") from None
    for line, text in enumerate(lines, 1):
        if not text.strip():
            continue
        number = int(text) if text.strip().isdigit() else 0
        if not 1 <= number <= count:
            raise DataError(f"{path}, line {line}: {text.strip()!r} is no validation image's number (1 to {count:,})")
        numbers.add(number)
    return frozenset(numbers)


def _files(folder: Path) -> list[str]:
    """The files below `folder`, relative to it, sorted."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths if not _is_hidden(path.name))


def _is_hidden(file: str) -> bool:
    # .DS_Store, and the ._NAME that a Mac packs beside each file.
    return PurePosixPath(file).name.startswith(".")


def _stem(file: str) -> str:
    return tidy_key(PurePosixPath(file).stem)
