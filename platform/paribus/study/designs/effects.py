"""Which cells (arms) an effect is made of, and with which weights.

An effect is a mean over backgrounds: combinations of the other factors' levels at which everything that it compares
was trained. Cells are fixed, not sampled: an effect speaks of these backgrounds and no others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import log2
from typing import Literal

from paribus.study.designs.fractions import aliases
from paribus.study.study import Study
from paribus.study.words import Arm, Level, column_names, show_level

Kind = Literal["main", "interaction", "trend"]
# Cells with what each weighs: a difference of two, a difference of differences, the rise of a straight line.
Weights = Mapping[Arm, float]
Stable = Callable[[Arm], bool]
# From this ratio of the largest to the smallest level on, levels such as k = 1, 2, 4 are even on a logarithmic scale.
_RATIO_OF_LOG = 4.0
_OF_SQUARES = "interactions of the other factors"


@dataclass(frozen=True, kw_only=True)
class Question:
    """One effect to be estimated: a list of backgrounds, each with the weights of its cells.

    `sides` are the cells that fail or train on either side of a main effect. `mixed_with` says what a fraction cannot
    tell from it.
    """

    kind: Kind
    name: str
    backgrounds: tuple[Weights, ...]
    sides: tuple[tuple[Arm, ...], tuple[Arm, ...]] = ((), ())
    mixed_with: str = ""


def questions_of(study: Study, stable: Stable) -> list[Question]:
    """The effects that the study's design can tell, over the cells that are `stable`; [] where arms say it all."""
    match study.design:
        case "factorial" | "one_at_a_time":
            return _over_backgrounds(study, stable)
        case "fractional":
            return _over_fraction(study, stable)
        case "latin_square":
            return _over_square(study, stable)
        case "leave_two_out":
            return _over_pairs(study, stable)
    return []


def differences_in(question: Question) -> int:
    """How many differences of two cells a main effect averages."""
    return sum(sum(weight > 0 for weight in weights.values()) for weights in question.backgrounds)


class _Cells:
    """The arms of a study by their levels, and each factor's levels with the baseline's first."""

    def __init__(self, study: Study, stable: Stable) -> None:
        self.arms, self.stable = set(study.arms), stable
        self.paths = list(study.factors)
        self.names = dict(zip(self.paths, column_names(self.paths), strict=True))
        centre = study.baselines[0].as_dict()
        self.levels: dict[str, tuple[Level, ...]] = {}
        for path, levels in study.factors.items():
            # A factorial's baseline may stand beside the grid.
            beside = study.design == "factorial" and centre[path] not in levels
            first = levels[0] if beside else centre[path]
            self.levels[path] = (first, *(level for level in levels if level != first))
        self.grid = [arm for arm in study.arms if all(level in self.levels[path] for path, level in arm.levels)]

    def weighed(self, weights: Mapping[tuple[tuple[str, Level], ...], float]) -> tuple[Weights, ...]:
        """Per background at which all of these cells are arms: the cells with their weights.

        A background is a combination of the levels of the factors that `weights` does not name.
        """
        changed = {path for levels in weights for path, _ in levels}
        found = []
        for rest in dict.fromkeys(tuple((p, v) for p, v in arm.levels if p not in changed) for arm in self.grid):
            background = dict(rest)
            cells = {Arm.of({**background, **dict(own)}): weight for own, weight in weights.items()}
            if self.arms.issuperset(cells):
                found.append(cells)
        return tuple(found)

    def with_level(self, path: str, level: Level) -> tuple[Arm, ...]:
        """Every arm at this level."""
        return tuple(arm for arm in self.grid if arm.as_dict()[path] == level)

    def steady(self, backgrounds: Sequence[Weights]) -> tuple[Weights, ...]:
        """The backgrounds at which every cell trained in all replicates."""
        return tuple(weights for weights in backgrounds if all(map(self.stable, weights)))

    def main(self, path: str, level: Level, backgrounds: Sequence[Weights], mixed_with: str = "") -> Question:
        """The effect of a level against the first; which side a cell stands on its weight's sign says."""
        first = self.levels[path][0]
        return Question(
            kind="main",
            name=f"{self.names[path]}: {show_level(level)} against {show_level(first)}",
            backgrounds=self.steady(backgrounds),
            sides=_sides(backgrounds),
            mixed_with=mixed_with,
        )


def _sides(backgrounds: Sequence[Weights]) -> tuple[tuple[Arm, ...], tuple[Arm, ...]]:
    cells = [cell for weights in backgrounds for cell in weights.items()]
    return tuple(arm for arm, weight in cells if weight > 0), tuple(arm for arm, weight in cells if weight < 0)


def _over_backgrounds(study: Study, stable: Stable) -> list[Question]:
    """Main effects against the baseline's level, trends, interactions of two; over fewer backgrounds where cells lack.

    One factor at a time has each effect as a contrast already, and trends beside them.
    """
    cells, found = _Cells(study, stable), []
    crossed = study.design == "factorial" and sum(len(levels) > 1 for levels in cells.levels.values()) > 1
    for path in cells.paths if crossed else ():
        first, *others = cells.levels[path]
        for level in others:
            if matched := cells.weighed({((path, level),): 1.0, ((path, first),): -1.0}):
                found.append(cells.main(path, level, matched))
    found += [trend for path in cells.paths if (trend := _trend(cells, path))]
    for one, two in combinations(cells.paths, 2) if crossed else ():
        found += _interactions(cells, one, two)
    return found


def _interactions(cells: _Cells, one: str, two: str) -> list[Question]:
    (a, *others), (b, *more) = cells.levels[one], cells.levels[two]
    found = []
    for x, y in product(others, more):
        signs = {(x, y): 1.0, (x, b): -1.0, (a, y): -1.0, (a, b): 1.0}
        matched = cells.weighed({((one, own), (two, other)): sign for (own, other), sign in signs.items()})
        if matched:
            name = f"{cells.names[one]}={show_level(x)} with {cells.names[two]}={show_level(y)}"
            found.append(Question(kind="interaction", name=name, backgrounds=cells.steady(matched)))
    return found


def _trend(cells: _Cells, path: str) -> Question | None:
    """The rise of the least-squares line from the lowest to the highest of three or more numeric levels."""
    scaled = line_weights(cells.levels[path])
    if scaled is None:
        return None
    weights, scale = scaled
    matched = cells.weighed({((path, level),): weight for level, weight in weights.items()})
    if not matched:
        return None
    return Question(kind="trend", name=_line_name(cells, path, scale), backgrounds=cells.steady(matched))


def _line_name(cells: _Cells, path: str, scale: str) -> str:
    numbers = [level for level in cells.levels[path] if isinstance(level, (int, float))]
    return f"{cells.names[path]}: line from {show_level(min(numbers))} to {show_level(max(numbers))}{scale}"


def line_weights(levels: Sequence[Level]) -> tuple[dict[Level, float], str] | None:
    """Each level's weight in (highest - lowest) x slope, and the scale's name; None for fewer than three numbers.

    The line is straight over log2 of the levels where all are positive and the largest is at least four times the
    smallest (k = 1, 2, 4), else over the levels themselves (depth 16, 22, 28).
    """
    numbers = [float(level) for level in levels if isinstance(level, (int, float)) and not isinstance(level, bool)]
    if len(numbers) != len(levels) or len(numbers) < 3:
        return None
    logarithmic = min(numbers) > 0 and max(numbers) / min(numbers) >= _RATIO_OF_LOG
    places = [log2(number) for number in numbers] if logarithmic else numbers
    centre, spread = sum(places) / len(places), max(places) - min(places)
    squares = sum((place - centre) ** 2 for place in places)
    weights = {level: spread * (place - centre) / squares for level, place in zip(levels, places, strict=True)}
    return weights, " (over log2)" if logarithmic else ""


def _over_fraction(study: Study, stable: Stable) -> list[Question]:
    """Main effects as differences of halves, and the interactions of two factors that no main effect is mixed with.

    A fraction rests on all of its cells: with an unstable one none of its effects can be told.
    """
    cells, half = _Cells(study, stable), len(study.arms) / 2
    names = list(cells.names.values())
    signs = {arm: [1 if arm.as_dict()[p] != cells.levels[p][0] else -1 for p in cells.paths] for arm in study.arms}
    chains = {name: chain for chain in aliases(study.factors, study.resolution) for name in chain}
    found = []
    for index, path in enumerate(cells.paths):
        weights = {arm: row[index] / half for arm, row in signs.items()}
        found.append(cells.main(path, cells.levels[path][1], (weights,), _rest(chains, names[index])))
    told: set[tuple[str, ...]] = set()
    for one, two in combinations(range(len(names)), 2):
        name = f"{names[one]}:{names[two]}"
        chain = chains.get(name, (name,))
        if chain in told or set(chain) & set(names):
            continue
        told.add(chain)
        # Twice the difference of halves is the difference of differences.
        steady = cells.steady([{arm: 2 * row[one] * row[two] / half for arm, row in signs.items()}])
        found.append(Question(kind="interaction", name=name, backgrounds=steady, mixed_with=_rest(chains, name)))
    return found


def _rest(chains: Mapping[str, tuple[str, ...]], name: str) -> str:
    return ", ".join(part for part in chains.get(name, ()) if part != name)


def _over_square(study: Study, stable: Stable) -> list[Question]:
    """Main effects between the means over each level's n cells, and trends over them; each rests on all cells."""
    cells, found = _Cells(study, stable), []
    for path in cells.paths:
        first, *others = cells.levels[path]
        at = {level: cells.with_level(path, level) for level in cells.levels[path]}
        share = 1 / len(at[first])
        for level in others:
            weights = (
                dict.fromkeys(study.arms, 0.0) | dict.fromkeys(at[level], share) | dict.fromkeys(at[first], -share)
            )
            found.append(cells.main(path, level, (weights,), _OF_SQUARES))
        if scaled := line_weights(cells.levels[path]):
            line, scale = scaled
            over_all = {arm: share * line[arm.as_dict()[path]] for arm in study.arms}
            backgrounds, name = cells.steady((over_all,)), _line_name(cells, path, scale)
            found.append(Question(kind="trend", name=name, backgrounds=backgrounds, mixed_with=_OF_SQUARES))
    return found


def _over_pairs(study: Study, stable: Stable) -> list[Question]:
    """What taking two components away together does beyond the sum of taking away each."""
    components = study.ablate
    full, *others = study.arms
    alone = dict(zip(components, others, strict=False))
    together = dict(zip(combinations(components, 2), others[len(alone) :], strict=True))
    found = []
    for (one, two), arm in together.items():
        weights = {arm: 1.0, alone[one]: -1.0, alone[two]: -1.0, full: 1.0}
        backgrounds = (weights,) if all(map(stable, weights)) else ()
        found.append(Question(kind="interaction", name=f"{one} with {two}, both away", backgrounds=backgrounds))
    return found
