"""The contract of a dataset of one's own."""

from __future__ import annotations

from paribus.keyed_draws import global_draws
from paribus.recipe import RecipeError
from paribus.testing.sentences import said


def check_dataset(reference: str, split: str = "train") -> None:
    """A dataset, called with the name of a split: `__len__`, and `__getitem__` from a row to an image and its class."""
    from paribus.images.decode import decode
    from paribus.shards.sources.own_set import first_rows

    whose = f"data.name {reference!r}"
    before = global_draws()
    with said(whose):
        first, second = first_rows(reference, split), first_rows(reference, split)
        for file, _ in first:
            decode(file, 3)
    if global_draws() != before:
        raise RecipeError(
            f"{whose} draws from a global generator, so that it would be another set each time: draw from "
            "numpy.random.default_rng(row)"
        )
    if first != second:
        raise RecipeError(
            f"{whose} gives another image or class of one row the second time: a row should stay as it is"
        )
