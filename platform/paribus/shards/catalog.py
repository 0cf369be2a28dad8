"""Which shard set a recipe means and where it lies; the two built-in sets are made on first use. Imports no torch."""

import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from paribus.errors import DataError
from paribus.host.atomic import lock
from paribus.host.home import home as default_home
from paribus.host.plain_files import read_document
from paribus.recipe.components.own import is_own
from paribus.recipe.data import Data
from paribus.recipe.recipe import Recipe
from paribus.shards.fraction import num_trained_on, read_evaluated
from paribus.shards.index import Index, read_index
from paribus.shards.manifest import FORMAT, MANIFEST, Manifest, OutdatedError, read_manifest
from paribus.shards.open_shards import check_length
from paribus.shards.shard_places import shards_place
from paribus.shards.storage.locations import ShardLocation

BUILTIN = ("digits", "synthetic")
DOWNLOADABLE = ("fashion_mnist", "cifar10", "cifar100")


def locate(data: Data, home: Path | None = None) -> ShardLocation:
    """Where the shards of `data` lie: `data.shards`, else `home`/data/`data.name`.

    Raises:
        DataError: they are not there; it says which command makes them.
    """
    if data.shards is not None:
        return ShardLocation(data.shards, home)
    if is_own(data.name):
        return ShardLocation(str(_own_folder(data, home)))
    folder = named_folder(data.name, home)
    if not (folder / MANIFEST).exists():
        if data.name not in BUILTIN:
            raise DataError(_how_to_make(data.name, folder))
        _make_builtin(data.name, folder)
    return ShardLocation(str(folder))


@dataclass(frozen=True)
class Found:
    """A shard set: where it lies, and its manifest."""

    place: ShardLocation
    manifest: Manifest


# By folder or address.
_read: ContextVar[dict[str, Manifest] | None] = ContextVar("manifests", default=None)


@contextmanager
def manifests_read_once() -> Iterator[None]:
    """Within the block, in this thread, no manifest is read twice: a command speaks of one state of the data, whatever
    is written there meanwhile. Trials, in their own processes, look for themselves."""
    token = _read.set({})
    try:
        yield
    finally:
        _read.reset(token)


def manifest_at(place: ShardLocation) -> Manifest:
    """What `read_manifest` gives, or gave before within `manifests_read_once`; raises what it raises."""
    known, key = _read.get(), str(place.folder or place.root)
    if known is None:
        return read_manifest(place)
    if key not in known:
        known[key] = read_manifest(place)
    return known[key]


def find(data: Data, home: Path | None = None) -> Found:
    """The set of `data`; a built-in one that an earlier Paribus wrote in another format is made anew.

    Raises:
        DataError: `locate`'s and `read_manifest`'s.
    """
    place = locate(data, home)
    try:
        return Found(place, manifest_at(place))
    except OutdatedError:
        if data.shards is not None or data.name not in BUILTIN:
            raise
    _drop_outdated(named_folder(data.name, home))
    place = locate(data, home)
    return Found(place, manifest_at(place))


def data_digest(recipe: Recipe, home: Path | None = None) -> str:
    """SHA-256, 64 hex digits, of the manifest of the recipe's data."""
    return find(recipe.data, home).manifest.digest


def input_size(recipe: Recipe, manifest: Manifest) -> int:
    """The side of the network's square input in pixels: `data.size`, else that of the stored images.

    Raises:
        DataError: the images have several sizes and `data.size` does not choose, or the network needs larger ones.
    """
    size = recipe.data.size
    if size is None:
        (low_h, low_w), (high_h, high_w) = manifest.smallest, manifest.largest
        if not low_h == low_w == high_h == high_w:
            raise DataError(
                f"the images of {manifest.name} measure {low_h}x{low_w} to {high_h}x{high_w} pixels: "
                "say with data.size which side the network's square input has"
            )
        size = low_h
    try:
        recipe.model.check_size(size)
    except ValueError as error:
        raise DataError(f"{manifest.name}: {error}") from None
    return size


def check_inputs(recipes: Iterable[Recipe], home: Path | None = None) -> None:
    """Raise DataError for what training would refuse, before it begins; each set is looked at once.

    The images and the network, the batch and the split, shards that are missing, images that do not decode.
    """
    sets: dict[Data, _Looked] = {}
    for recipe in recipes:
        if recipe.data not in sets:
            sets[recipe.data] = _looked_at(recipe.data, home)
        seen = sets[recipe.data]
        check_fit(recipe, seen.manifest, input_size(recipe, seen.manifest), seen.num_train)


def check_fit(recipe: Recipe, manifest: Manifest, size: int, num_train: int) -> None:
    """Raise DataError where a recipe cannot be trained on `num_train` images of `size` pixels of the manifest's set."""
    data, augment = recipe.data, recipe.augment
    if num_train < data.batch_size:
        apart, lower = (f" after data.holdout = {data.holdout}", " or lower data.holdout") if data.holdout else ("", "")
        raise DataError(
            f"{manifest.name} has {num_train} training samples (data.train_fraction = {data.train_fraction} of "
            f"{manifest.split(data.train_split).samples}{apart}), fewer than a batch: data.batch_size = "
            f"{data.batch_size}; lower it to {num_train} or less, or raise data.train_fraction{lower}"
        )
    if augment.crop == "pad" and augment.pad >= size:
        raise DataError(f"augment.pad = {augment.pad}: reflection needs less than the image's {size} pixels")
    if augment.cutout > size:
        raise DataError(f"augment.cutout = {augment.cutout} is wider than the image's {size} pixels")
    if augment.normalise and 0 in manifest.sd:
        raise DataError(
            f"{manifest.name}: channel {manifest.sd.index(0)} is constant over the training split and "
            "cannot be scaled to sd 1: set augment.normalise to False"
        )


def check_splits(data: Data, manifest: Manifest, place: ShardLocation) -> None:
    """Raise DataError unless both splits of a recipe are there, are two, and have all shards, of their lengths.

    Missing and cut shards come to light now, not hours into an epoch; their content is checked when it is read.
    """
    if data.train_split == data.eval_split:
        raise DataError(f"data.train_split and data.eval_split are both {data.train_split!r}: they must differ")
    for split in (data.train_split, data.eval_split):
        check_files(place, manifest, split)


def check_files(place: ShardLocation, manifest: Manifest, split: str) -> None:
    """Raise DataError where a shard of a split is missing in a folder or has another length."""
    shards, folder = manifest.split(split).shards, shards_place(place, manifest, split).folder
    if folder is None:
        return
    for shard in shards:
        try:
            length = (folder / shard.file).stat().st_size
        except FileNotFoundError:
            raise DataError(
                f"shard {shard.file} of {manifest.name!r} is missing in {folder}: restore it or make the shards again"
            ) from None
        except (OSError, ValueError) as error:
            raise DataError(f"shard {shard.file} of {manifest.name!r} cannot be read: {error}") from None
        check_length(shard, length, manifest.name)


@dataclass(frozen=True)
class _Looked:
    """A set's manifest, and how many training samples `data.holdout` and `data.train_fraction` leave."""

    manifest: Manifest
    num_train: int


def _looked_at(data: Data, home: Path | None) -> _Looked:
    found = find(data, home)
    place, manifest = found.place, found.manifest
    check_splits(data, manifest, place)
    if data.shards is None and is_own(data.name):
        _check_own(data, found)
    if manifest.undecodable:
        _check_evaluation(read_evaluated(place, manifest, data), manifest)
    return _Looked(manifest, num_trained_on(place, manifest, data))


def _check_own(data: Data, found: Found) -> None:
    from paribus.shards.sources.own_set import check_unchanged

    remedy = f"remove {found.place.root} to have them made anew, as other data with trials of their own"
    for split in (data.train_split, data.eval_split):
        check_unchanged(data.name, split, read_index(found.place, found.manifest, split), remedy)


def _check_evaluation(index: Index, manifest: Manifest) -> None:
    broken = (index.rows["height"] == 0).nonzero()[0].tolist()
    if broken:
        raise DataError(
            f"{len(broken)} evaluation samples of {manifest.name} do not decode (the first {index.keys[broken[0]]!r}): "
            "evaluation allows none, so make the shards again without --keep-undecodable"
        )


def named_folder(name: str, home: Path | None = None) -> Path:
    """Where the set called `name` lies on this machine."""
    return (home or default_home()) / "data" / name


def _own_folder(data: Data, home: Path | None) -> Path:
    """The shards of a dataset of the user's, made of it where no process did so before, in a folder of the state that
    its file is in: a trial reads what the digest stands for, whatever the dataset gives later."""
    from paribus.shards.making.shards import make_shards
    from paribus.shards.sources.own_set import own_set, state_of

    splits = tuple(dict.fromkeys((data.train_split, data.eval_split)))
    called = f"{data.name.replace(':', '.')}-{'-'.join(splits)}-{state_of(data.name)}"
    folder = named_folder("own", home) / called
    if not (folder / MANIFEST).exists():
        make_shards(own_set(data.name, splits), folder, quiet=not sys.stderr.isatty())
    return folder


def _make_builtin(name: str, folder: Path) -> None:
    from paribus.shards.making.shards import make_shards
    from paribus.shards.sources.synthetic import builtin

    make_shards(builtin.digits() if name == "digits" else builtin.synthetic(), folder)


def _drop_outdated(folder: Path) -> None:
    """Remove a built-in set that an earlier Paribus wrote in another format, so that it is made anew."""
    with lock(folder):
        if _is_outdated(folder):  # no other process was faster
            shutil.rmtree(folder)


def _is_outdated(folder: Path) -> bool:
    try:
        written = read_document(folder / MANIFEST)
    except (OSError, ValueError):
        return False  # missing or broken, which is told elsewhere
    return isinstance(written, dict) and written.get("format") in range(1, FORMAT)


def _how_to_make(name: str, folder: Path) -> str:
    if name in DOWNLOADABLE:
        return (
            f"no shards of {name!r} at {folder}: run `paribus shards make {name} --download`, or with "
            "`--root FOLDER` where torchvision's copy lies"
        )
    if name == "imagenet":
        return (
            f"no shards of {name!r} at {folder}: run `paribus shards make imagenet --root FOLDER`, where FOLDER holds "
            "ILSVRC2012's tars and its development kit, or say where shards lie with data.shards"
        )
    close = get_close_matches(name, [*BUILTIN, *DOWNLOADABLE, "imagenet"], n=1, cutoff=0.6)
    guess = f" (did you mean {close[0]!r}?)" if close else ""
    return (
        f"no shards of {name!r} at {folder}{guess}: make them with `paribus shards make IMAGES {folder}`, where IMAGES "
        "holds train/CLASS/*.jpg and test/CLASS/*.jpg, or say where they lie with data.shards"
    )
