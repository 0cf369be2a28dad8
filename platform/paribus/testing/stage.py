"""The contract of a stage of the stream."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from paribus.data import data_digest, open_feed
from paribus.keyed_draws import global_draws
from paribus.recipe import RecipeError, preset
from paribus.testing.sentences import said


def check_stage(reference: str) -> None:
    """A stage of `data.stages`, sample to sample: an epoch of images of 8x8 pixels, twice and from its middle."""
    whose = f"data.stages {reference!r}"
    recipe = preset("synthetic").replace({"data.stages": (reference,), "data.batch_size": 16})
    before = global_draws()
    with TemporaryDirectory(prefix="paribus-stage-") as folder, said(whose):
        data_digest(recipe, Path(folder))
        feed = open_feed(recipe, Path(folder), threads=1)  # tries it on one image
        first, second, rest = ([batch.images for batch in feed.batches(1, 2, 0, start)] for start in (0, 0, 2))
    if global_draws() != before:
        raise RecipeError(
            f"{whose} draws from a global generator: draw from numpy.random.default_rng(sample['__seed__'])"
        )
    for one, other in ((first, second), (first[2:], rest)):
        if not all(map(torch.equal, one, other)):
            raise RecipeError(
                f"{whose} makes two images of one sample: what it draws must come from sample['__seed__'] alone, and "
                "it may keep nothing from sample to sample"
            )
