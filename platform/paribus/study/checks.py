"""What a study must be before a worker is asked for: its numbers, its words, and a claim about arms that it has."""

from __future__ import annotations

from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING, Any, get_args

from paribus.recipe import Recipe
from paribus.recipe.errors import nearest
from paribus.study.designs import StudyError
from paribus.study.words import IN_NATS, METRICS, Claim, Direction

if TYPE_CHECKING:
    from paribus.study.study import Study

MAX_NAME_BYTES = 120
DESIGNS = ("factorial", "one_at_a_time", "explicit")


def check_fields(study: Study) -> None:
    """Raise StudyError for a field that no study can have, whatever its recipe."""
    name = study.name
    if not isinstance(name, str) or not name or not all(letter.isalnum() or letter in "_-" for letter in name):
        raise StudyError(f"name {name!r}: use letters, digits, '_' and '-'")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise StudyError(
            f"name {name[:40]!r}... has {len(name.encode())} bytes: at most {MAX_NAME_BYTES}, for it names folders, "
            "which file systems allow 255, and MLflow's and Ray's records, which add to it"
        )
    if not isinstance(study.base, (str, Recipe)):
        raise StudyError(f"base = {study.base!r}: give a preset's name, such as 'digits', or a Recipe")
    _check_numbers(study)
    _check_word("metric", study.metric, METRICS)
    _check_word("design", study.design, DESIGNS)
    if study.design == "explicit" and (study.factors or not study.arms_listed):
        raise StudyError("the explicit design takes its arms, arms_listed=({...}, {...}), and no factors")
    if study.design != "explicit" and (study.arms_listed or not study.factors):
        raise StudyError(f"the {study.design} design takes factors, and at least one; arms_listed is for 'explicit'")
    if study.baseline is not None and not study.baseline:
        raise StudyError("the baseline is empty: leave it out to compare with the base recipe, or name its levels")


def check_claim(study: Study) -> None:
    """Raise StudyError for a claim in other words than ours, or one that concerns none of the study's arms."""
    claim = study.claim
    if claim is None:
        return
    if not isinstance(claim, Claim):
        raise StudyError(f"claim = {claim!r}: give Claim(text, source=...)")
    _check_word("the claim's metric", claim.metric, METRICS)
    _check_word("the claim's direction", claim.direction, get_args(Direction))
    paths = study.arms[0].as_dict()
    for path in claim.arms:
        if path not in paths:
            raise StudyError(f"the claim is about {path!r}, which is no factor: {nearest(path, paths)}")
    if not any(claim.concerns(arm) for arm in study.arms):
        shown = ", ".join(f"{path} in {levels!r}" for path, levels in claim.arms.items())
        raise StudyError(f"the claim concerns no arm: none of the study's has {shown}")


def _check_numbers(study: Study) -> None:
    if not _is_whole(study.replicates) or study.replicates < 1:
        raise StudyError(
            f"replicates = {study.replicates!r}: a whole number of at least 1; 5 is the least that judges well"
        )
    if not _is_whole(study.seed):
        raise StudyError(f"seed = {study.seed!r}: a whole number")
    if not _is_number(study.alpha) or not 0 < study.alpha < 1:
        raise StudyError(f"alpha = {study.alpha!r}: a number between 0 and 1, such as 0.05")
    if not _is_number(study.margin) or not study.margin > 0:
        raise StudyError(f"margin = {study.margin!r}: the smallest effect of interest is positive, such as 0.5 points")
    if study.metric in IN_NATS and study.margin == type(study).margin:
        raise StudyError(
            f"{study.metric} is in nats, where the default margin of {study.margin:g} would call nearly everything "
            "equivalent: state the smallest effect of interest, such as margin=0.02"
        )


def _check_word(what: str, word: Any, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        close = get_close_matches(str(word), allowed, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise StudyError(f"{what} {word!r}: allowed are {', '.join(map(repr, allowed))}{hint}")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
