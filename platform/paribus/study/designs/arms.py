"""How factors become arms."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from reprlib import repr as brief

from paribus.recipe import Recipe, RecipeError
from paribus.recipe.paths import holds_another
from paribus.study.constructors import StudyError as StudyError
from paribus.study.words import Arm, Level

Factors = Mapping[str, tuple[Level, ...]]


def factorial(factors: Factors) -> tuple[Arm, ...]:
    """Every combination of levels; the first factor varies slowest."""
    return tuple(Arm(tuple(zip(factors, levels, strict=True))) for levels in product(*factors.values()))


def one_at_a_time(factors: Factors, baseline: Mapping[str, Level]) -> tuple[Arm, ...]:
    """The baseline, then arms that differ from it in one factor each."""
    arms = [Arm.of({path: baseline[path] for path in factors})]
    for path, levels in factors.items():
        arms += [arms[0].replace({path: level}) for level in levels if level != baseline[path]]
    return tuple(arms)


def explicit(
    arms: Sequence[Mapping[str, Level]],
    baseline: Mapping[str, Level],
    admits: Callable[[Mapping[str, Level]], bool] = lambda levels: True,
) -> tuple[Arm, ...]:
    """The arms as listed; a factor that an arm does not name has the baseline's level.

    Where no recipe `admits` that, for the arm begins a part afresh that lacks the field, it has none of that part's.
    """
    paths = list(dict.fromkeys(path for arm in arms for path in arm))
    found = []
    for arm in arms:
        whole = {path: arm.get(path, baseline.get(path)) for path in paths if path in arm or path in baseline}
        if not admits(whole):
            whole = {path: level for path, level in whole.items() if path in arm or _is_kept(path, arm, baseline)}
        found.append(Arm.of(whole))
    return tuple(found)


def admitted_by(base: Recipe) -> Callable[[Mapping[str, Level]], bool]:
    """Whether the recipe has fields for these levels."""

    def admits(levels: Mapping[str, Level]) -> bool:
        try:
            base.replace(levels)
        except RecipeError:
            return False
        return True

    return admits


def _is_kept(path: str, arm: Mapping[str, Level], baseline: Mapping[str, Level]) -> bool:
    """Whether an arm that does not name `path` has the baseline's level of it."""
    if path not in baseline:
        return False
    others = (other for other, level in arm.items() if other not in baseline or level != baseline[other])
    return not any(holds_another(other, [path]) for other in others)


def without_excluded(arms: Sequence[Arm], exclude: Sequence[Mapping[str, tuple[Level, ...]]]) -> tuple[Arm, ...]:
    """The arms that no mapping of `exclude` describes: one whose levels are all among those that it allows.

    Raises:
        StudyError: a mapping that describes no arm, or none that is left.
    """
    gone: set[Arm] = set()
    for pattern in exclude:
        found = [arm for arm in arms if pattern and all(arm.as_dict().get(path) in pattern[path] for path in pattern)]
        if not found:
            paths = dict(arms[0].levels)
            unknown = [path for path in pattern if path not in paths]
            why = f"{unknown[0]!r} is no factor" if unknown else "no arm has such levels together"
            raise StudyError(f"exclude has {dict(pattern)!r}: {why}; factors are {', '.join(paths)}")
        gone.update(found)
    left = tuple(arm for arm in arms if arm not in gone)
    if not left:
        raise StudyError(f"exclude leaves none of the {len(arms)} arms: take one of its mappings out")
    return left


def check_factors(factors: Factors) -> None:
    """Raise StudyError for a factor without levels, with one given twice, or not given as a tuple."""
    if not isinstance(factors, Mapping):
        raise StudyError(f"factors = {brief(factors)}: map paths to levels, such as {{'model.depth': (16, 40)}}")
    for path, levels in factors.items():
        if not isinstance(levels, (tuple, list)):
            raise StudyError(f"factor {path!r} has levels {brief(levels)}: give a tuple of them, such as (0.1, 1.0)")
        if not levels:
            raise StudyError(f"factor {path!r} has no levels: give at least one, or leave the factor out")
        for level in levels:
            if isinstance(level, (list, dict, set)):
                raise StudyError(
                    f"factor {path!r} has the level {level!r}: a level is one value, or a tuple such as (3, 3)"
                )
        for level, count in Counter(levels).items():
            if count > 1:
                raise StudyError(f"factor {path!r} has the level {level!r} {count} times: give each level once")


def check_arms(arms: Sequence[Arm]) -> None:
    """Raise StudyError for an arm that appears twice: its replicates would be the same trials."""
    for arm, count in Counter(arms).items():
        if count > 1:
            raise StudyError(f"the arm {arm.name!r} appears {count} times: give each arm once, and ask for replicates")
