"""Class numbers from what people write for classes: names, or numbers."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from paribus.data.errors import DataError

_WHOLE = re.compile(r"0|-?[1-9][0-9]*")


def class_numbers(written: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]]]:
    """The classes, and per split the number of each sample's, from what is written for it.

    Whole numbers are sorted as numbers where all are; else names are sorted as text. The classes are those of `train`.

    Raises:
        DataError: a class that only another split has.
    """
    classes = _sorted(set(written["train"]))
    number_of = {name: number for number, name in enumerate(classes)}
    for split, names in written.items():
        strange = sorted(set(names) - number_of.keys())
        if strange:
            raise DataError(
                f"class {strange[0]!r} of split {split!r} has no training sample: leave it out, or add some"
            )
    numbers = {
        split: np.fromiter((number_of[name] for name in names), np.int64, len(names))
        for split, names in written.items()
    }
    return classes, numbers


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    listed = sorted(names)
    # 007 and 7 would be one number: then they are names.
    return tuple(sorted(listed, key=int)) if all(_WHOLE.fullmatch(name) for name in listed) else tuple(listed)
