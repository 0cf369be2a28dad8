"""Ablations: a full recipe, and the same with named components taken away, one by one or also in pairs."""

from collections.abc import Mapping
from itertools import combinations
from reprlib import repr as brief
from typing import Any

from paribus.study.designs.arms import StudyError
from paribus.study.words import Arm, Level, short_name

# What taking a component away sets: the fields of the recipe, by path.
Ablations = Mapping[str, Mapping[str, Level]]


def written_out(ablate: Any) -> dict[str, dict[str, Level]]:
    """The components by name with the fields that take each away.

    `{"model.dropout": 0.0}` names a component by its field; `{"warm-up": {"schedule.warmup_epochs": 0, ...}}` gives a
    name to several.

    Raises:
        StudyError: something else.
    """
    if not isinstance(ablate, Mapping):
        raise StudyError(
            f"ablate = {brief(ablate)}: map what is taken away to its value without it, such as "
            "{'model.dropout': 0.0}, or a name to several, such as {'warm-up': {'schedule.warmup_epochs': 0}}"
        )
    found: dict[str, dict[str, Level]] = {}
    for key, value in ablate.items():
        several = isinstance(value, Mapping) and "kind" not in value
        if not isinstance(key, str) or (several and not value):
            raise StudyError(f"ablate has {brief(key)}: {brief(value)}: name a component, and the fields that it sets")
        name = key if several or list(map(short_name, ablate)).count(short_name(key)) > 1 else short_name(key)
        found[name] = dict(value) if several else {key: value}
    return found


def left_out(components: Ablations, full: Mapping[str, Level], *, pairs: bool) -> tuple[Arm, ...]:
    """The full recipe, then it without each component; with `pairs`, then without each two.

    `full` has the full recipe's level of every path that a component sets.

    Raises:
        StudyError: a component that the full recipe does not have, or two of a pair that set one field differently.
    """
    for name, fields in components.items():
        if all(full[path] == level for path, level in fields.items()):
            shown = ", ".join(f"{path} = {level!r}" for path, level in fields.items())
            raise StudyError(
                f"taking {name!r} away changes nothing: the full recipe has {shown} already; put the component into "
                "the base (fixed={...}), or leave it out of ablate"
            )
    arms = [_without((), {}, full)]
    arms += [_without((name,), fields, full) for name, fields in components.items()]
    if pairs:
        arms += [_without(two, _together(two, components), full) for two in combinations(components, 2)]
    return tuple(arms)


def _together(names: tuple[str, str], components: Ablations) -> dict[str, Level]:
    first, second = (components[name] for name in names)
    if clash := {path for path in first if path in second and first[path] != second[path]}:
        path = min(clash)
        raise StudyError(
            f"{names[0]!r} and {names[1]!r} both set {path!r}, to {first[path]!r} and {second[path]!r}: they cannot "
            "be taken away together; use design='leave_one_out'"
        )
    return {**first, **second}


def _without(names: tuple[str, ...], changes: Mapping[str, Level], full: Mapping[str, Level]) -> Arm:
    label = f"without {' and '.join(names)}" if names else "full"
    return Arm(tuple({**full, **changes}.items()), label=label)
