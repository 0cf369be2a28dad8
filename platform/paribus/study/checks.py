"""What a study must be before a worker is asked for: its numbers, its words, and a claim about arms that it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from math import isfinite, prod
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any, get_args

from paribus.recipe import Recipe
from paribus.recipe.errors import nearest
from paribus.study.designs.arms import StudyError
from paribus.study.designs.fractions import RESOLUTIONS
from paribus.study.words import Claim, Direction

if TYPE_CHECKING:
    from paribus.study.study import Study

# Folders, an outbox and an MLflow experiment are called by the name, with more beside it; file systems take 255 bytes.
MOST_NAME_BYTES = 120
# More than any ledger page or report can show; said at once, before anything is counted one by one.
MOST_ARMS = 1_000
MOST_TRIALS = 100_000

LEAVE_OUT = ("leave_one_out", "leave_two_out")
DESIGNS = ("factorial", "one_at_a_time", "fractional", "latin_square", "explicit", *LEAVE_OUT)
_EXCLUDED = (
    "give a tuple of mappings from paths to tuples of levels that are no arm together, such as "
    "({'model.norm': ('none',), 'model.dropout': (0.3,)},)"
)
# A fraction of more would have more arms than a study may, or take long to find.
MOST_FRACTIONAL = 15


def check_fields(study: Study) -> None:
    """Raise StudyError for a field that no study can have, whatever its recipe."""
    check_name(study.name)
    if not isinstance(study.base, (str, Recipe)):
        raise StudyError(f"base = {brief(study.base)}: give a preset's name, such as 'digits', or a Recipe")
    _check_types(study)
    _check_numbers(study)
    check_word("metric", study.metric, tuple(study.metrics))
    _check_margin_is_stated(study)
    check_word("design", study.design, DESIGNS)
    _check_size(study)
    _check_sources(study)
    if any("metrics" in paths for paths in (study.factors, study.ablate, *study.arms_listed)):
        raise StudyError("metrics is no factor, for no net depends on it: name them in fixed={'metrics': (...)}")
    if study.baseline is not None and not study.baseline:
        raise StudyError("the baseline is empty: leave it out to compare with the base recipe, or name its levels")


def _check_sources(study: Study) -> None:
    """That the design has what it makes arms from, and nothing that it would pass over."""
    given = {"factors": bool(study.factors), "arms_listed": bool(study.arms_listed), "ablate": bool(study.ablate)}
    wanted = {"explicit": "arms_listed", **dict.fromkeys(LEAVE_OUT, "ablate")}.get(study.design, "factors")
    if not given[wanted] or sum(given.values()) > 1:
        shapes = {"factors": "{'model.depth': (16, 40)}", "arms_listed": "({'model.depth': 40},)"}
        shape = shapes.get(wanted, "{'model.dropout': 0.0}")
        raise StudyError(
            f"the {study.design} design takes {wanted}, such as {shape}, and neither of the others: factors are for "
            "designs that cross them, arms_listed is for 'explicit', ablate for 'leave_one_out' and 'leave_two_out'"
        )
    if study.design in LEAVE_OUT and study.baseline is not None:
        raise StudyError("the full recipe is what an ablation compares with: give its levels in fixed, not in baseline")
    if study.exclude and study.design not in ("factorial", "one_at_a_time"):
        raise StudyError(
            f"exclude would take arms out of the {study.design} design that its effects rest on: it goes with "
            "'factorial' and 'one_at_a_time'"
        )
    if not is_whole(study.resolution) or study.resolution not in RESOLUTIONS:
        raise StudyError(f"resolution = {brief(study.resolution)}: allowed are {', '.join(map(str, RESOLUTIONS))}")
    if study.design == "fractional" and len(study.factors) > MOST_FRACTIONAL:
        raise StudyError(f"{len(study.factors)} factors: a fractional design takes at most {MOST_FRACTIONAL}")


def check_trials(study: Study) -> None:
    """Raise StudyError for more trials than any study may have, or for looks that could look at nothing."""
    num_arms = len(study.trained)
    if num_arms * study.replicates > MOST_TRIALS:
        raise StudyError(
            f"{num_arms:,} arms x {study.replicates:,} replicates: at most {MOST_TRIALS:,} trials in one study"
        )
    if (planned := study.adaptive) is None:
        return
    if len(study.arms) == 1:
        raise StudyError("planned looks compare arms, and there is one: give replicates as a number")
    if planned.trials is not None and planned.trials < (least := num_arms * planned.looks[0]):
        raise StudyError(
            f"trials = {planned.trials}: the first look, at {planned.looks[0]} replicates of {num_arms} arms, takes "
            f"{least}; give at least so many, or an earlier look"
        )


def check_claim(study: Study) -> None:
    """Raise StudyError for a claim in other words than ours, or one that concerns none of the study's arms."""
    claim = study.claim
    if claim is None:
        return
    if not isinstance(claim, Claim):
        raise StudyError(f"claim = {brief(claim)}: give Claim(text, source=...)")
    _check_claim_words(claim, tuple(study.metrics))
    paths = study.arms[0].as_dict()
    for path, levels in claim.arms.items():
        if path not in paths:
            raise StudyError(f"the claim is about {path!r}, which is no factor: {nearest(path, paths)}")
        if not isinstance(levels, (tuple, list)) or not levels:
            raise StudyError(
                f"the claim has {path!r} in {brief(levels)}: give a tuple of the study's levels, such as "
                f"({study.arms[0].as_dict()[path]!r},)"
            )
        _check_levels(study, path, levels)
    concerned = [arm for arm in study.arms if claim.concerns(arm)]
    shown = ", ".join(f"{path} in {levels!r}" for path, levels in claim.arms.items())
    if not concerned:
        raise StudyError(f"the claim concerns no arm: none of the study's has {shown}")
    if all(arm in study.baselines for arm in concerned):
        where = f" with {shown}" if shown else ""
        raise StudyError(
            f"the claim concerns the baseline alone ({concerned[0].name}){where}, which is compared with nothing: name "
            "levels of the arms that it is about, or another baseline"
        )


def _check_claim_words(claim: Claim, metrics: tuple[str, ...]) -> None:
    for what, text in (("text", claim.text), ("source", claim.source), ("setting", claim.setting)):
        if not isinstance(text, str):
            raise StudyError(f"the claim's {what} = {brief(text)}: give it as text")
    if not claim.text.strip():
        raise StudyError("the claim's text is empty: say what the source claims")
    check_word("the claim's metric", claim.metric, metrics)
    check_word("the claim's direction", claim.direction, get_args(Direction))
    if not isinstance(claim.arms, Mapping):
        raise StudyError(
            f"the claim's arms = {brief(claim.arms)}: map paths to levels, such as {{'model.width': (4,)}}"
        )
    if claim.effect is not None:
        if not is_number(claim.effect) or not claim.effect > 0:
            raise StudyError(
                f"the claim's effect = {claim.effect!r}: the size that the source claims, a number above 0 in the unit "
                f"of {claim.metric}; the direction says which way"
            )
        if claim.direction not in ("better", "worse"):
            raise StudyError(
                f"the claim's effect = {claim.effect!r} goes with the direction 'better' or 'worse', not with "
                f"{claim.direction!r}: leave it out, or state the direction"
            )


def _check_levels(study: Study, path: str, levels: Iterable[Any]) -> None:
    known = list(dict.fromkeys(arm.as_dict()[path] for arm in study.arms))
    for level in levels:
        # True == 1 in Python, and neither is the other's level.
        if not any(level == other and isinstance(level, bool) == isinstance(other, bool) for other in known):
            shown = ", ".join(map(repr, known))
            raise StudyError(f"the claim's level {brief(level)} of {path!r} is none of the study's: {shown}")


def check_name(name: Any) -> None:
    """Raise StudyError for a name by which no folder and no experiment could be called."""
    if not isinstance(name, str) or not name or not all(letter.isalnum() or letter in "_-" for letter in name):
        raise StudyError(f"name {brief(name)}: use letters, digits, '_' and '-'")
    if (size := len(name.encode())) > MOST_NAME_BYTES:
        raise StudyError(
            f"name {brief(name)} has {size} bytes: at most {MOST_NAME_BYTES}, for folders and MLflow's experiment are "
            "called so"
        )


def _check_types(study: Study) -> None:
    """The shapes of what a study is made of; factors and their levels are checked by the design."""
    if not isinstance(study.noise_floor, bool):
        raise StudyError(f"noise_floor = {brief(study.noise_floor)}: True trains each baseline again, False does not")
    if not isinstance(study.question, str):
        raise StudyError(f"question = {brief(study.question)}: give one line of text")
    wanted = {"factors": "map paths to levels, such as {'model.depth': (16, 40)}"}
    wanted |= {"fixed": "map paths to values, such as {'optimizer.lr': 0.1}"}
    wanted |= {"baseline": "map paths to levels, such as {'model.depth': 16}, or leave it out"}
    for name, advice in wanted.items():
        value = getattr(study, name)
        if not isinstance(value, Mapping) and not (name == "baseline" and value is None):
            raise StudyError(f"{name} = {brief(value)}: {advice}")
    arms: Any = study.arms_listed
    if not isinstance(arms, Sequence) or isinstance(arms, (str, bytes)):
        raise StudyError(f"arms_listed = {brief(arms)}: give a tuple of mappings, such as ({{'model.depth': 40}},)")
    _refuse_many(len(arms))
    for arm in arms:
        if not isinstance(arm, Mapping) or not all(isinstance(path, str) for path in arm):
            raise StudyError(
                f"arms_listed has {brief(arm)}: an arm maps paths to levels, such as {{'model.depth': 40}}"
            )
    excluded: Any = study.exclude
    if not isinstance(excluded, Sequence) or isinstance(excluded, (str, bytes)):
        raise StudyError(f"exclude = {brief(excluded)}: {_EXCLUDED}")
    for pattern in excluded:
        fits = isinstance(pattern, Mapping) and bool(pattern)
        if not fits or not all(isinstance(levels, tuple) for levels in pattern.values()):
            raise StudyError(f"exclude has {brief(pattern)}: {_EXCLUDED}")
    # What `fixed` may hold, the recipe says.
    for path, level in ((path, level) for each in (study.baseline or {}, *arms) for path, level in each.items()):
        _check_level(path, level)


def _check_level(path: str, level: Any) -> None:
    if level is None or isinstance(level, (str, int, float)):
        return
    if not isinstance(level, tuple) or not all(isinstance(each, (str, int, float)) for each in level):
        raise StudyError(
            f"{path!r} has the level {brief(level)} of the type {type(level).__name__}: use plain numbers, text, True, "
            "False, None or a tuple of them"
        )


def _check_size(study: Study) -> None:
    """Refuse at once what would take hours to count one by one."""
    factors: Mapping[str, Any] = study.factors
    for path, levels in factors.items():
        if not isinstance(levels, (tuple, list)):
            return  # the design says how levels are given
        if len(levels) <= MOST_ARMS:
            for level in levels:
                if not isinstance(level, (list, dict, set)):
                    _check_level(path, level)
    _refuse_many(_num_arms(study))


def _refuse_many(num_arms: int) -> None:
    if num_arms > MOST_ARMS:
        raise StudyError(
            f"{num_arms:,} arms: at most {MOST_ARMS:,} in one study; give fewer levels, or design='one_at_a_time'"
        )


def _num_arms(study: Study) -> int:
    """How many arms there will be at most; a baseline that is not among the levels is not counted."""
    sizes = [len(levels) for levels in study.factors.values()]
    num = len(study.ablate)
    return {
        "factorial": prod(sizes),
        "one_at_a_time": sum(sizes),
        "fractional": 1,
        "latin_square": max(sizes, default=0) ** 2,
        "explicit": len(study.arms_listed),
        "leave_one_out": 1 + num,
        "leave_two_out": 1 + num + num * (num - 1) // 2,
    }[study.design]


def _check_numbers(study: Study) -> None:
    if not is_whole(study.replicates) or study.replicates < 1:
        raise StudyError(
            f"replicates = {brief(study.replicates)}: a whole number of at least 1; from 3 on there are verdicts, and "
            "`plan` says what so many can tell"
        )
    if not is_whole(study.seed):
        raise StudyError(f"seed = {brief(study.seed)}: a whole number")
    if not is_number(study.alpha) or not 0 < study.alpha < 1:
        raise StudyError(f"alpha = {brief(study.alpha)}: a number between 0 and 1, such as 0.05")
    if not is_number(study.margin) or not study.margin > 0:
        raise StudyError(
            f"margin = {brief(study.margin)}: the smallest effect of interest is positive, such as 0.5 points"
        )


def _check_margin_is_stated(study: Study) -> None:
    """The default margin is in points, and no smallest effect of a metric in another unit."""
    metric = study.primary
    if metric.unit != "points" and study.margin == type(study).margin:
        raise StudyError(
            f"{study.metric} is in {metric.unit}, where the default margin of {study.margin:g} would call nearly "
            f"everything equivalent: state the smallest effect of interest, such as margin={metric.sd:g}"
        )


def check_word(what: str, word: Any, allowed: tuple[str, ...]) -> None:
    """Raise StudyError for a word that is none of the `allowed` ones, with the nearest of them."""
    if not isinstance(word, str) or word not in allowed:
        close = get_close_matches(str(word), allowed, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise StudyError(f"{what} {brief(word)}: allowed are {', '.join(map(repr, allowed))}{hint}")


def is_whole(value: Any) -> bool:
    """Whether it is a whole number; True and False are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is a finite number; True and False are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
