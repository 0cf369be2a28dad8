"""A part of a source: some of its splits, some of its classes, or a split held out of the training one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.shards.counters import keyed_hash, sample_ids
from paribus.shards.sources.names import Names
from paribus.shards.sources.source import File, Listing, Load, Source

_TRAIN = "train"
_NAMED = 20


def only_splits(source: Source, names: Sequence[str]) -> Source:
    """`source` with the splits `names` alone; DataError names those that there are."""
    for name in names:
        if name not in source.splits:
            raise DataError(f"{source.name} has no split {name!r}: it has {', '.join(source.splits)}")
    return replace(source, splits={name: listing for name, listing in source.splits.items() if name in names})


def only_classes(source: Source, names: Sequence[str]) -> Source:
    """`source` with the classes `names` alone, numbered in that order.

    A class may be called by its first word, where a source writes more behind it, as a WordNet id and its gloss.

    Raises:
        DataError: names that are unknown (with the nearest), ambiguous or given twice, or none at all.
    """
    chosen = _class_numbers(source, names)
    new_label = np.full(len(source.classes), -1, np.int64)
    new_label[chosen] = np.arange(len(chosen))
    splits = {}
    for split, listing in source.splits.items():
        labels = new_label[listing.labels]
        rows = np.flatnonzero(labels >= 0)
        if not len(rows):
            raise DataError(f"split {split!r} has no sample of the {len(chosen)} classes: leave it out with --split")
        splits[split] = replace(take(listing, rows), labels=labels[rows])
    return replace(
        source,
        classes=tuple(source.classes[number] for number in chosen),
        splits=splits,
        made={**source.made, "classes": f"{len(chosen)} of {len(source.classes)}"},
    )


def hold_out(source: Source, name: str, fraction: str) -> Source:
    """`source` with the new split `name`: about `fraction` (0.02, or 1/50) of the training samples move there.

    A sample's side comes from a keyed hash of its key alone: it stays when other samples come or go.

    Raises:
        DataError: a fraction outside 0 to 1, a split of that name, or a side that would be empty.
    """
    share = _share(name, fraction)
    if name in source.splits or _TRAIN not in source.splits:
        raise DataError(
            f"{name!r} cannot be held out of {_TRAIN!r}: {source.name} has the splits {', '.join(source.splits)}"
        )
    listing = source.splits[_TRAIN]
    hashes = keyed_hash(sample_ids(listing.keys), "held out", name)
    # Whole numbers: a fraction as a float would move with its rounding.
    held = hashes < np.uint64(share * 2**64)
    if held.all() or not held.any():
        raise DataError(f"{fraction} of {len(listing)} training samples held out leaves one side empty: change it")
    sides = {_TRAIN: take(listing, np.flatnonzero(~held)), name: take(listing, np.flatnonzero(held))}
    return replace(source, splits={**source.splits, **sides}, made={**source.made, f"held_out.{name}": str(share)})


@dataclass(frozen=True)
class _Rows:
    """Loads the file of a row of some of a listing's rows."""

    load: Load
    rows: NDArray[np.int64]

    def __call__(self, row: int) -> File:
        return self.load(int(self.rows[row]))


def take(listing: Listing, rows: NDArray[np.int64]) -> Listing:
    """The samples of `rows` alone, in that order."""
    return Listing(
        keys=Names(listing.keys[row] for row in rows.tolist()),
        labels=listing.labels[rows],
        sizes=listing.sizes[rows],
        load=_Rows(listing.load, rows),
    )


def _share(name: str, text: str) -> Fraction:
    try:
        share = Fraction(text)
    except (ValueError, ZeroDivisionError):
        share = Fraction(0)
    if not 0 < share < 1:
        raise DataError(f"held out {name!r}: {text!r} is no fraction between 0 and 1, such as 0.02")
    return share


def _class_numbers(source: Source, names: Sequence[str]) -> NDArray[np.int64]:
    aliases = _aliases(source.classes)
    unknown = [name for name in names if name not in aliases]
    if unknown:
        raise DataError(_unknown_text(source, unknown, list(aliases)))
    numbers = [aliases[name] for name in names]
    twice = [name for place, name in enumerate(names) if numbers[place] in numbers[:place]]
    if twice or not names:
        raise DataError(f"the list of classes names {twice[0]!r} twice" if twice else "the list of classes is empty")
    return np.array(numbers, np.int64)


def _aliases(classes: Sequence[str]) -> dict[str, int]:
    """The number of each class by its name and by its first word, where they mean no other class."""
    whole, first = Counter(classes), Counter(name.split(" ")[0] for name in classes)
    aliases = {}
    for number, name in enumerate(classes):
        word = name.split(" ")[0]
        if whole[name] == 1:
            aliases[name] = number
        if first[word] == 1 and word not in whole:
            aliases[word] = number
    return aliases


def _unknown_text(source: Source, unknown: list[str], aliases: list[str]) -> str:
    texts = []
    for name in unknown[:_NAMED]:
        close = get_close_matches(name, aliases, n=1, cutoff=0.6)
        texts.append(f"{name!r}" + (f" (did you mean {close[0]!r}?)" if close else ""))
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    return f"{source.name} has {len(source.classes)} classes, and none called {', '.join(texts)}{more}"
