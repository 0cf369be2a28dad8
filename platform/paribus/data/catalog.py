"""Which shard set a recipe means and where it lies; the two built-in sets are made on first use. Imports no torch."""

import json
import shutil
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

from paribus.data.atomic import lock
from paribus.data.errors import DataError
from paribus.data.manifest import FORMAT, MANIFEST, Manifest, read_manifest
from paribus.data.storage.places import Place
from paribus.recipe.data import Data
from paribus.recipe.home import home as default_home
from paribus.recipe.recipe import Recipe

BUILTIN = ("digits", "synthetic")
DOWNLOADABLE = ("fashion_mnist", "cifar10", "cifar100")


def locate(data: Data, home: Path | None = None) -> Place:
    """Where the shards of `data` lie: `data.shards`, else `home`/data/`data.name`.

    Raises:
        DataError: they are not there; it says which command makes them.
    """
    if data.shards is not None:
        return Place(data.shards, home)
    folder = named_folder(data.name, home)
    if data.name in BUILTIN:
        _drop_outdated(folder)
    if not (folder / MANIFEST).exists():
        if data.name not in BUILTIN:
            raise DataError(_how_to_make(data.name, folder))
        _make_builtin(data.name, folder)
    return Place(str(folder))


def data_digest(recipe: Recipe, home: Path | None = None) -> str:
    """SHA-256, 64 hex digits, of the manifest of the recipe's data."""
    return read_manifest(locate(recipe.data, home)).digest


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
    """Raise DataError where the images of a recipe's data do not fit its network; each manifest is read once."""
    manifests: dict[Data, Manifest] = {}
    for recipe in recipes:
        if recipe.data not in manifests:
            manifests[recipe.data] = read_manifest(locate(recipe.data, home))
        input_size(recipe, manifests[recipe.data])


def named_folder(name: str, home: Path | None = None) -> Path:
    """Where the set called `name` lies on this machine."""
    return (home or default_home()) / "data" / name


def _make_builtin(name: str, folder: Path) -> None:
    from paribus.data.making.shards import make_shards
    from paribus.data.sources import builtin

    make_shards(builtin.digits() if name == "digits" else builtin.synthetic(), folder)


def _drop_outdated(folder: Path) -> None:
    """Remove a built-in set that an earlier Paribus wrote in another format, so that it is made anew."""
    if _is_outdated(folder):
        with lock(folder):
            if _is_outdated(folder):  # no other process was faster
                shutil.rmtree(folder)


def _is_outdated(folder: Path) -> bool:
    try:
        written = json.loads((folder / MANIFEST).read_bytes())
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
