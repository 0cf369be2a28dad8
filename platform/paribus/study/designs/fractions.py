"""Fractional designs: the factorial's effects for a fraction of its arms, and what they are mixed with in return.

Regular two-level fractions (Fries and Hunter 1980; Montgomery 2012, chapter 8) and Latin squares, both as pydoe builds
them, turned so that the baseline is one of the arms.
"""

from collections.abc import Mapping
from itertools import combinations

from paribus.study.designs.arms import Factors, StudyError
from paribus.study.words import Arm, Level, column_names

RESOLUTIONS = (3, 4, 5)


def fractional(factors: Factors, baseline: Mapping[str, Level], resolution: int) -> tuple[Arm, ...]:
    """The smallest regular two-level fraction of at least this resolution that holds the baseline, as its first arm.

    Resolution 3 mixes main effects with interactions of two factors, 4 keeps them apart, 5 also keeps those
    interactions apart from each other.

    Raises:
        StudyError: a factor that has not two levels with the baseline's among them, or fewer than three factors.
    """
    others = {path: _other_level(path, levels, baseline[path]) for path, levels in factors.items()}
    signs = _signs(len(factors), resolution)
    # The arm of all +1 is in every such fraction: pydoe's generators are products without a minus.
    rows = sorted(signs, key=lambda row: [-sign for sign in row])
    return tuple(
        Arm.of({path: baseline[path] if sign > 0 else others[path] for path, sign in zip(factors, row, strict=True)})
        for row in rows
    )


def _signs(num_factors: int, resolution: int) -> list[tuple[int, ...]]:
    if resolution not in RESOLUTIONS:
        raise StudyError(f"resolution = {resolution!r}: allowed are {', '.join(map(str, RESOLUTIONS))}")
    if num_factors < 3:
        raise StudyError(
            f"the fractional design takes at least three factors of two levels, and has {num_factors}: "
            "with fewer there is nothing to leave out, use design='factorial'"
        )
    from pydoe import fracfact_by_res

    try:
        found = fracfact_by_res(num_factors, resolution)
        # The smallest fraction that it finds may mix more than another of the same size.
        for better in range(resolution + 1, max(RESOLUTIONS) + 1):
            other = fracfact_by_res(num_factors, better)
            found = other if len(other) == len(found) else found
        return [tuple(int(sign) for sign in row) for row in found]
    except ValueError as error:
        raise StudyError(f"there is no fraction of {num_factors} factors at resolution {resolution}: {error}") from None


def _other_level(path: str, levels: tuple[Level, ...], centre: Level) -> Level:
    others = [level for level in levels if level != centre]
    if len(others) != 1 or len(levels) > 2:
        raise StudyError(
            f"factor {path!r} has the levels {', '.join(map(repr, levels))} and the baseline's is {centre!r}: the "
            "fractional design takes two levels a factor, the baseline's and one other; for more levels there are "
            "design='latin_square' and 'factorial'"
        )
    return others[0]


def latin_square(factors: Factors, baseline: Mapping[str, Level]) -> tuple[Arm, ...]:
    """n x n arms of three (Latin) or four (Graeco-Latin) factors of n levels each, the baseline first.

    Every level of a factor meets every level of each other one once, so that main effects can be told apart from each
    other; every one of them is mixed with interactions.

    Raises:
        StudyError: another number of factors, factors of unlike numbers of levels, or no such square.
    """
    if len(factors) not in (3, 4):
        raise StudyError(f"the latin_square design takes three factors, or four (Graeco-Latin), and has {len(factors)}")
    ordered = {path: _baseline_first(path, levels, baseline[path]) for path, levels in factors.items()}
    sizes = {len(levels) for levels in ordered.values()}
    if len(sizes) != 1 or min(sizes) < 3:
        shown = ", ".join(f"{path}: {len(levels)}" for path, levels in ordered.items())
        raise StudyError(
            f"the latin_square design takes factors of one number of levels, at least 3, the baseline's among them "
            f"({shown}): make them as many, or use design='factorial'"
        )
    cells = _square(sizes.pop(), len(factors))
    return tuple(
        Arm.of({path: levels[index] for (path, levels), index in zip(ordered.items(), cell, strict=True)})
        for cell in cells
    )


def _square(size: int, num_factors: int) -> list[tuple[int, ...]]:
    """Cells (row, column, letter, ...) of a square, the first of them all zeros."""
    from pydoe import graeco_latin_square, latin_square

    try:
        letters = [latin_square(size)] if num_factors == 3 else list(graeco_latin_square(size))
    except ValueError as error:
        raise StudyError(f"there is no Graeco-Latin square of {size} levels: {error}") from None
    return [
        (row, column, *(int(square[row][column] - square[0][0]) % size for square in letters))
        for row in range(size)
        for column in range(size)
    ]


def _baseline_first(path: str, levels: tuple[Level, ...], centre: Level) -> tuple[Level, ...]:
    if centre not in levels:
        raise StudyError(
            f"factor {path!r} has the levels {', '.join(map(repr, levels))} without the baseline's, {centre!r}: the "
            "latin_square design compares with one of its own arms; add that level, or name a baseline"
        )
    return (centre, *(level for level in levels if level != centre))


def aliases(factors: Factors, resolution: int) -> tuple[tuple[str, ...], ...]:
    """What a two-level fraction cannot tell apart, among main effects and interactions of two factors, a chain each.

    `("lr", "width:dropout")` says that what the study calls the effect of lr is the two of them together, added or
    subtracted. Longer interactions are left out; an effect that is mixed with those alone is not listed.
    """
    names = column_names(list(factors))
    columns = list(zip(*_signs(len(factors), resolution), strict=True))
    chains: dict[tuple[int, ...], list[str]] = {}
    for name, column in zip(names, columns, strict=True):
        chains.setdefault(column, []).append(name)
    for first, second in combinations(range(len(names)), 2):
        product = tuple(a * b for a, b in zip(columns[first], columns[second], strict=True))
        chains.setdefault(product, []).append(f"{names[first]}:{names[second]}")
    return tuple(tuple(chain) for chain in chains.values() if len(chain) > 1)
