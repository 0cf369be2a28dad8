"""Open a recipe's data: find the shards, check that they are all there, and choose between memory and stream."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from paribus.data.augment import Draw
from paribus.data.batches import Batch, Feed
from paribus.data.cache.room import caches_folder
from paribus.data.open_split import cuts_training, evaluated, open_split
from paribus.data.originals import Originals
from paribus.data.stream import Viewing
from paribus.images.decode import View
from paribus.recipe.recipe import Recipe
from paribus.shards.catalog import check_files, check_splits, find, input_size
from paribus.shards.fraction import evaluated_split

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
    found = find(recipe.data, home)
    place, manifest = found.place, found.manifest
    size = input_size(recipe, manifest)
    check_splits(recipe.data, manifest, place)
    cropped, exact = cuts_training(recipe), recipe.data.decoding == "exact"
    seen: View = "stored" if cropped else "fit"
    train, evaluation = (
        open_split(recipe, place, manifest, split, Viewing(kind, size, manifest.channels, exact), caches_folder(home))
        for split, kind in ((recipe.data.train_split, seen), (recipe.data.eval_split, evaluated(recipe)))
    )
    if threads is None:
        copied = not cropped and train.cache_choice.kind == evaluation.cache_choice.kind == "memory"
        threads = max(int(not copied), int(recipe.resources.cpus / world_size) - 1)
    feed = Feed(recipe, manifest, size, (train, evaluation), threads, (rank, world_size))
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


def try_stages(recipe: Recipe, home: Path | None = None) -> None:
    """Send the first image of each split through the recipe's own stages, as training and evaluation will.

    Raises:
        RecipeError, DataError: what opening the feed, or the first batch, would raise because of them.
    """
    feed = open_feed(recipe.replace({"resources.gpus": 0.0}), home, threads=0)  # opening tries both splits' views
    first = np.flatnonzero(feed.train.index.rows["height"])[:1].astype(np.int32)
    out = np.empty((len(first), feed.size, feed.size, feed.channels), np.uint8)
    feed.augmented.fill(first, out, Draw(feed.train.index.ids[first], 0, 0))


def open_originals(recipe: Recipe, home: Path | None = None, *, threads: int = 1) -> Originals:
    """The evaluation examples of `recipe` as they are stored; `threads` prepare views ahead of the caller.

    Raises:
        DataError: shards that are missing, damaged or of images that do not fit the recipe.
    """
    found = find(recipe.data, home)
    place, manifest = found.place, found.manifest
    size, split = input_size(recipe, manifest), recipe.data.eval_split
    check_files(place, manifest, evaluated_split(recipe.data))
    stored = Viewing("stored", size, manifest.channels, exact=True)
    if stored.shape(manifest) is None and recipe.data.cache == "auto":
        recipe = recipe.replace({"data.cache": "never"})  # one evaluation does not repay that they are all decoded
    opened = open_split(recipe, place, manifest, split, stored, caches_folder(home))
    seen = replace(stored, kind=evaluated(recipe))
    return Originals(manifest, opened, seen, recipe.augment.normalise, threads)
