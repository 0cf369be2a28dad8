"""Class numbers from what people write for classes: names, or numbers."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from paribus.errors import DataError
from paribus.host.shown import shown

ClassNumbers = Literal["keep", "map"]
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_PART = re.compile(
    r"[-+]?[0-9]*\.[0-9]*[1-9][0-9]*([eE][-+]?[0-9]+)?|[-+]?[0-9.]+[eE]-[0-9]+|[-+]?(nan|inf)", re.IGNORECASE
)
# A net has an output a class; beyond this, numbers are ids.
_MOST = 100_000
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """The names of the classes, each sample's number by split, and what there is to say of it."""

    classes: tuple[str, ...]
    numbers: dict[str, NDArray[np.int64]]
    notes: tuple[str, ...] = ()


def class_numbers(written: Mapping[str, Sequence[str]], how: ClassNumbers = "map") -> Numbered:
    """The classes, and per split the number of each sample's, from what is written for it.

    Whole numbers are sorted as numbers where all are; else names are sorted as text. The classes are those of `train`,
    numbered from 0 in that order; or, where `how` is keep, whole numbers stay what they are, and those that no sample
    has are classes too.

    Raises:
        DataError: a class that only another split has, numbers with a fraction, or numbers that cannot be kept.
    """
    _check_fractions(written)
    if how == "keep":
        return _kept(written)
    classes = _sorted(set(written["train"]))
    for split, names in written.items():
        strange = sorted(set(names) - set(classes))
        if strange:
            raise DataError(
                f"class {shown(strange[0])!r} of split {split!r} has no training sample: leave it out, or add some"
            )
    number_of = {name: number for number, name in enumerate(classes)}
    note = renumbered(classes)
    return Numbered(classes=classes, numbers=_numbers(written, number_of), notes=(note,) if note else ())


def named_numbers(written: Mapping[str, Sequence[str]], names: Sequence[str]) -> Numbered:
    """The same where the classes are `names`: what is written is one of them, or its number, counted from 0.

    Raises:
        DataError: what is neither, or a name given twice.
    """
    number_of = {name: number for number, name in enumerate(names)}
    if len(number_of) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise DataError(f"--classes names {shown(twice)!r} twice: a class's number is its line, so give each its own")
    met = {name for labels in written.values() for name in labels}
    if met and all(_WHOLE.fullmatch(name) for name in met) and not met <= number_of.keys():
        number_of = {str(number): number for number in range(len(names))}
    strange = sorted(met - number_of.keys())
    if strange:
        close = get_close_matches(strange[0], number_of, n=1, cutoff=0.6)
        guess = f"; did you mean {close[0]!r}?" if close else ""
        raise DataError(
            f"--classes names {len(names)} classes, numbered 0 to {len(names) - 1} by their lines, and "
            f"{len(strange)} that the samples have are none of them, such as {shown(strange[0])!r}{guess}"
        )
    unused = len(names) - len({number_of[name] for name in met})
    notes = (f"{unused} of the {len(names)} classes have no sample",) if unused else ()
    return Numbered(classes=tuple(names), numbers=_numbers(written, number_of), notes=notes)


def renumbered(classes: Sequence[str], what: str = "the class numbers") -> str | None:
    """The sentence where class numbers of the source are not those that a net is trained on; else None."""
    changed = [(name, number) for number, name in enumerate(classes) if _WHOLE.fullmatch(name) and name != str(number)]
    if not changed or not all(_WHOLE.fullmatch(name) for name in classes):
        return None
    named = ", ".join(f"{name} is {number}" for name, number in changed[:_NAMED])
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    return (
        f"{what} of the source are numbered anew, from 0 ({named}{more}); what they were stays as the classes' names. "
        "--class-numbers keep leaves them as they are"
    )


def _kept(written: Mapping[str, Sequence[str]]) -> Numbered:
    classes = sorted({name for names in written.values() for name in names})
    odd = [name for name in classes if not _WHOLE.fullmatch(name)]
    if odd:
        raise DataError(
            f"--class-numbers keep: class {shown(odd[0])!r} is a name and no number, so leave the option out"
        )
    lowest, highest = min(map(int, classes)), max(map(int, classes))
    if lowest < 0 or highest >= _MOST:
        raise DataError(
            f"class numbers from {lowest} to {highest} cannot be kept, as a net has an output for each number from 0 "
            "on: number those that occur anew with --class-numbers map"
        )
    every = tuple(str(number) for number in range(highest + 1))
    missing = len(every) - len(set(written["train"]))
    note = (
        f"class numbers are kept as they are written, 0 to {highest}: {missing} of these {len(every)} classes have no "
        "training sample. --class-numbers map numbers those that occur anew, from 0"
    )
    number_of = {name: number for number, name in enumerate(every)}
    return Numbered(classes=every, numbers=_numbers(written, number_of), notes=(note,) if missing else ())


def _numbers(written: Mapping[str, Sequence[str]], number_of: Mapping[str, int]) -> dict[str, NDArray[np.int64]]:
    return {
        split: np.fromiter((number_of[name] for name in names), np.int64, len(names))
        for split, names in written.items()
    }


def _check_fractions(written: Mapping[str, Sequence[str]]) -> None:
    for split, names in written.items():
        parts = [name for name in names if _PART.fullmatch(name)]
        if parts:
            raise DataError(
                f"the class {parts[0]!r} in split {split!r} is a number with a fraction, and a class is a name or a "
                f"whole number ({len(parts)} of {len(names)} are such): see that the right column or field is meant; "
                "if these are measurements, cut them into classes; if they are names, write them with a letter"
            )


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    listed = sorted(names)
    # 007 and 7 would be one number: then they are names.
    return tuple(sorted(listed, key=int)) if all(_WHOLE.fullmatch(name) for name in listed) else tuple(listed)
