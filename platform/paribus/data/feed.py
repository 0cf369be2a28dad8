"""Open a recipe's data: find the shards, check that they are all there, and choose between memory and stream."""

from dataclasses import dataclass, replace
from pathlib import Path

from paribus.data.batches import Batch, Feed, Part
from paribus.data.catalog import input_size, locate
from paribus.data.decode import View
from paribus.data.errors import DataError
from paribus.data.index import read_index
from paribus.data.lanes import check_length
from paribus.data.manifest import Manifest, read_manifest
from paribus.data.originals import Originals
from paribus.data.places import Place
from paribus.data.reading import ShardReader
from paribus.data.resident import LIMIT_MIB, open_resident
from paribus.data.stream import Stream
from paribus.data.supply import Supply, Viewing
from paribus.recipe.home import home as default_home
from paribus.recipe.recipe import Recipe

__all__ = ["Batch", "Feed", "Originals", "open_feed", "open_originals"]


def open_feed(
    recipe: Recipe, home: Path | None = None, *, rank: int = 0, world_size: int = 1, threads: int | None = None
) -> Feed:
    """The feed of `recipe`; built-in sets are made under `home` on first use, decoded splits are cached there.

    `threads` prepare batches ahead of the caller (0: none; None: as many as `resources.cpus` leaves beside the loop).
    Neither they, nor the ranks, nor residence change a batch.

    Raises:
        DataError: shards that are missing, damaged or of images that do not fit the recipe, or too few samples.
    """
    place = locate(recipe.data, home)
    manifest = read_manifest(place)
    size = input_size(recipe, manifest)
    parts = []
    cropped = recipe.augment.crop == "random_resized"
    kinds: dict[str, View] = {
        recipe.data.train_split: "stored" if cropped else "fit",
        recipe.data.eval_split: _evaluated(recipe),
    }
    if len(kinds) == 1:
        raise DataError(f"data.train_split and data.eval_split are both {recipe.data.train_split!r}: they must differ")
    cache = (home or default_home()) / "cache"
    exact = recipe.data.decoding == "exact"
    for split, kind in kinds.items():
        _check_files(place, manifest, split)
        parts.append(_open_part(recipe, place, manifest, split, Viewing(kind, size, manifest.channels, exact), cache))
    streamed = any(isinstance(part.supply, Stream) for part in parts)
    if threads is None:
        threads = max(int(streamed), int(recipe.resources.cpus / world_size) - 1)
    feed = Feed(recipe, manifest, size, (parts[0], parts[1]), threads, (rank, world_size))
    feed.opening = Opening(recipe, home)
    return feed


@dataclass(frozen=True)
class Opening:
    """Opens any rank's share of the data of a feed; it can be pickled, which a feed cannot."""

    recipe: Recipe
    home: Path | None

    def __call__(self, rank: int, world_size: int) -> Feed:
        """The feed of `rank` of `world_size`; raises what `open_feed` raises."""
        return open_feed(self.recipe, self.home, rank=rank, world_size=world_size)


def open_originals(recipe: Recipe, home: Path | None = None, *, threads: int = 1) -> Originals:
    """The evaluation split of `recipe` as it is stored; `threads` prepare views ahead of the caller.

    Raises:
        DataError: shards that are missing, damaged or of images that do not fit the recipe.
    """
    place = locate(recipe.data, home)
    manifest = read_manifest(place)
    size, split = input_size(recipe, manifest), recipe.data.eval_split
    _check_files(place, manifest, split)
    stored = Viewing("stored", size, manifest.channels, exact=True)
    if stored.shape(manifest) is None:
        recipe = recipe.replace({"data.resident": "never"})  # images of several sizes cannot stay in memory
    part = _open_part(recipe, place, manifest, split, stored, (home or default_home()) / "cache")
    seen = replace(stored, kind=_evaluated(recipe))
    return Originals(manifest, part, seen, recipe.augment.normalise, threads)


def _evaluated(recipe: Recipe) -> View:
    """What of an image the evaluation of training sees."""
    return "centre" if recipe.augment.crop == "random_resized" else "fit"


def _open_part(recipe: Recipe, place: Place, manifest: Manifest, split: str, viewing: Viewing, cache: Path) -> Part:
    index = read_index(place, manifest, split)
    reader = ShardReader(place, manifest, split, index)
    if manifest.smallest == manifest.largest == (viewing.size, viewing.size):
        # All views of such a set are the stored images, and then all recipes share one cache.
        viewing = replace(viewing, kind="stored")
    supply: Supply
    shape = _resident_shape(recipe, manifest, len(index), viewing)
    if shape is None:
        supply = Stream(reader, viewing)
    else:
        folder = cache / f"{manifest.digest[:16]}-{split}-{viewing.kind}{viewing.size}"
        supply = open_resident(folder, reader, viewing, shape)
    return Part(index, supply)


def _resident_shape(recipe: Recipe, manifest: Manifest, num: int, viewing: Viewing) -> tuple[int, int, int] | None:
    """(H, W, C) of the decoded images of a split to keep in memory, or None to stream it."""
    mode, shape = recipe.data.resident, viewing.shape(manifest)
    if mode == "never":
        return None
    if shape is None:
        if mode == "always":
            raise DataError(
                f"the images of {manifest.name} have several sizes and random resized crops need them whole, so they "
                "cannot stay decoded in memory: set data.resident to 'auto'"
            )
        return None
    fits = num * shape[0] * shape[1] * shape[2] <= LIMIT_MIB << 20
    return shape if fits or mode == "always" else None


def _check_files(place: Place, manifest: Manifest, split: str) -> None:
    """Missing and cut shards come to light now, not hours into an epoch; their content is checked when it is read."""
    folder = place.folder
    if folder is None:
        return
    for shard in manifest.split(split).shards:
        try:
            check_length(shard, (folder / shard.file).stat().st_size, manifest.name)
        except FileNotFoundError:
            raise DataError(
                f"shard {shard.file} of {manifest.name!r} is missing in {folder}: restore it or make the shards again"
            ) from None
