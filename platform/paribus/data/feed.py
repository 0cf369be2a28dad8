"""Open a recipe's data: find the shards, check that they are all there, and choose between memory and stream."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from paribus.data.batches import Batch, Feed, Part, Reading
from paribus.data.cache.cached_split import CachePlan
from paribus.data.cache.choice import CacheChoice, open_pixel_source
from paribus.data.cache.room import caches_folder
from paribus.data.originals import Originals
from paribus.data.own_stages import Staged, load_stages
from paribus.data.pixel_source import Viewing
from paribus.data.stream import Stream
from paribus.errors import DataError
from paribus.images.decode import View
from paribus.recipe.recipe import Recipe
from paribus.shards.catalog import check_files, check_splits, input_size, locate
from paribus.shards.index import read_index
from paribus.shards.manifest import Manifest, read_manifest
from paribus.shards.reading import ShardReader
from paribus.shards.storage.locations import ShardLocation

__all__ = ["Batch", "Feed", "Originals", "open_feed", "open_originals"]


def open_feed(
    recipe: Recipe, home: Path | None = None, *, rank: int = 0, world_size: int = 1, threads: int | None = None
) -> Feed:
    """The feed of `recipe`; built-in sets are made under `home` on first use, decoded splits are cached there.

    `threads` prepare batches ahead of the caller (0: none; None: as many as `resources.cpus` leaves beside the loop).
    Neither they, nor the ranks, nor cache choice change a batch.

    Raises:
        DataError: shards that are missing, damaged or of images that do not fit the recipe, or too few samples.
    """
    place = locate(recipe.data, home)
    manifest = read_manifest(place)
    size = input_size(recipe, manifest)
    check_splits(recipe.data, manifest, place)
    parts = []
    cropped = recipe.augment.crop == "random_resized"
    kinds: dict[str, View] = {
        recipe.data.train_split: "stored" if cropped else "fit",
        recipe.data.eval_split: _evaluated(recipe),
    }
    caches = caches_folder(home)
    exact = recipe.data.decoding == "exact"
    for split, kind in kinds.items():
        parts.append(_open_part(recipe, place, manifest, split, Viewing(kind, size, manifest.channels, exact), caches))
    if threads is None:
        copied = not cropped and all(part.cache_choice.kind == "memory" for part in parts)
        threads = max(int(not copied), int(recipe.resources.cpus / world_size) - 1)
    feed = Feed(recipe, manifest, size, (parts[0], parts[1]), threads, (rank, world_size))
    feed.opening = Opening(recipe, home)
    # Where a GPU is asked for and none is there, training says so.
    feed.device = torch.device("cuda") if recipe.resources.gpus > 0 and torch.cuda.is_available() else None
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
    check_files(place, manifest, split)
    stored = Viewing("stored", size, manifest.channels, exact=True)
    if stored.shape(manifest) is None and recipe.data.cache == "auto":
        recipe = recipe.replace({"data.cache": "never"})  # one evaluation does not repay that they are all decoded
    part = _open_part(recipe, place, manifest, split, stored, caches_folder(home))
    seen = replace(stored, kind=_evaluated(recipe))
    return Originals(manifest, part, seen, recipe.augment.normalise, threads)


def _evaluated(recipe: Recipe) -> View:
    """What of an image the evaluation of training sees."""
    return "centre" if recipe.augment.crop == "random_resized" else "fit"


def _open_part(
    recipe: Recipe, place: ShardLocation, manifest: Manifest, split: str, viewing: Viewing, caches: Path
) -> Part:
    index = read_index(place, manifest, split)
    reader = ShardReader(place, manifest, split, index)
    cropped = split == recipe.data.train_split and recipe.augment.crop == "random_resized"
    if not cropped and not recipe.data.stages and manifest.smallest == manifest.largest == (viewing.size, viewing.size):
        # All views of such a set are the stored images, and then all recipes share one cache.
        viewing = replace(viewing, kind="stored")
    reading = Reading(reader, viewing, load_stages(recipe.data.stages))
    if reading.own:
        return _open_staged(recipe, split, reading)
    plan = CachePlan(reader, manifest, split, viewing, cropped)
    pixel_source, cache_choice = open_pixel_source(recipe.data.cache, plan, Stream(reader, viewing), caches)
    return Part(index, pixel_source, reader.input_times, cache_choice, reading)


def _open_staged(recipe: Recipe, split: str, reading: Reading) -> Part:
    """A split whose images pass through stages of the user's."""
    if recipe.data.cache == "always":
        raise DataError(
            "data.cache is 'always', and data.stages run on each image each time that it is read, so that none can "
            "stay decoded: leave one of them out"
        )
    pixel_source = Staged(reading.reader, split, reading.viewing, reading.own)
    pixel_source.check()
    why = f"data.stages ({', '.join(recipe.data.stages)}) run on each image each time that it is read"
    return Part(reading.reader.index, pixel_source, reading.reader.input_times, CacheChoice("stream", why), reading)
