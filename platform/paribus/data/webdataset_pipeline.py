"""The training stream of a recipe as a `webdataset.DataPipeline`, to be looked at, taken apart and added to."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from paribus.data.augment import Draw
from paribus.data.batches import Batch, Feed
from paribus.data.feed import open_feed
from paribus.data.own_stages import STEP, Sample, Staged
from paribus.data.pixel_source import Seeding
from paribus.recipe.recipe import Recipe
from paribus.recipe.seeds import Seeds


def pipeline(recipe: Recipe, seeds: Seeds, epoch: int, home: Path | None = None, start_step: int = 0) -> Any:
    """The `webdataset.DataPipeline` of one 0-based epoch's batches, to the bit those that training sees.

    Its stages: the ordered reader; the decoder, the recipe's `data.stages` and the crop, each a `webdataset.map`; the
    batch of a step; its augmentation. `stage(i)` is one of them, and a `DataPipeline` of some of them, with others
    between, is another pipeline. One thread reads; training reads with several.

    Raises:
        DataError: what `open_feed` raises.
    """
    feed = open_feed(recipe.replace({"resources.gpus": 0.0}), home, threads=0)
    steps = feed.order.steps(seeds.order, epoch, start_step)
    rows = np.ascontiguousarray(steps).reshape(-1)
    split = feed.train
    draw = Draw(split.index.ids[rows], seeds.augment, epoch)
    source = Staged(split.reader, split.name, split.viewing, split.own)
    samples = source.samples(rows, draw, feed.augmented.crops(rows, draw), recipe.data.batch_size)
    return samples.compose(Batched(feed, Seeding(seeds.order, seeds.augment, epoch)))


@dataclass(frozen=True)
class Batched:
    """The samples of each step as a `Batch`: as WebDataset's `batched`, but that a step keeps its samples where one of
    them does not decode; padded, cropped and flipped as `augment` says."""

    feed: Feed
    seeding: Seeding

    def __call__(self, samples: Iterator[Sample]) -> Iterator[Batch]:
        for _, group in groupby(samples, key=lambda sample: sample[STEP]):
            step = list(group)
            rows = np.array([sample["__row__"] for sample in step], np.int32)
            pixels = np.stack([sample["image"] for sample in step])
            yield self.feed.augmented_batch(pixels, rows, self.seeding)
