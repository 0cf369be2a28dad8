"""Sources whose files are not what they were: for tests of what is made of them."""

from collections.abc import Callable
from dataclasses import replace

from paribus.shards.sources.source import File, Load, Source

# (split, row, the file as it was) -> the file as it shall be.
Change = Callable[[str, int, File], File]


def changed(source: Source, change: Change) -> Source:
    """`source`, whose files pass through `change` when they are loaded. Only for makers of one process."""

    def loading(split: str, load: Load) -> Load:
        return lambda row: change(split, row, load(row))

    splits = {split: replace(listing, load=loading(split, listing.load)) for split, listing in source.splits.items()}
    return replace(source, splits=splits)


def files(source: Source, split: str) -> dict[str, File]:
    """Every file of a split by its key, in order."""
    listing = source.splits[split]
    return {key: listing.load(row) for row, key in enumerate(listing.keys)}
