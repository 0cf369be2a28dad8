"""A study as a JSON document, so that the ledger holds what a report needs without the study's file."""

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from paribus.recipe import Recipe, RecipeError, preset
from paribus.recipe.components.component import own_of
from paribus.recipe.components.recorded import Recorded, as_recorded, noted
from paribus.recipe.paths import leaves
from paribus.study.adaptive import Adaptive
from paribus.study.designs.arms import StudyError
from paribus.study.designs.matching import Matched
from paribus.study.own_metrics import facts_of, told_metric
from paribus.study.plan import Place
from paribus.study.searches.domains import domain_as_json, domain_from_json
from paribus.study.searches.tuning import Tuning, tuned_as_json, tuned_from_json
from paribus.study.study import Study
from paribus.study.words import Arm, Claim, Level, arm_as_json, arm_from_json, level_from_json

_ABSENT: Final = object()


@dataclass(frozen=True, kw_only=True)
class RecordedStudy(Study):
    """A study out of a document, with components of its own that are taken as they were `recorded`, and not imported.

    It has the arms, recipes and trial ids of the study that was written. Nothing can be trained by it. `made` are the
    fields of an arm's recipe, by path, that a component's own validator made of what was written.
    """

    recorded: Recorded = field(default_factory=dict)
    made: Mapping[Arm, Mapping[str, Level]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with as_recorded(self.recorded):
            super().__post_init__()

    def recipe_of(self, arm: Arm) -> Recipe:
        with as_recorded(self.recorded):
            recipe = super().recipe_of(arm)
            made = self.made.get(Arm(arm.levels))
            return recipe.replace(made) if made else recipe

    def _base_levels(self) -> dict[str, Level]:
        with as_recorded(self.recorded):
            return super()._base_levels()


def write_study(study: Study) -> str:
    """The study as JSON; its base is written out whole, because presets may change, and so is what its own components
    take, because their files may be gone."""
    base = preset(study.base) if isinstance(study.base, str) else study.base
    apart = ["base", "claim", "own_metrics", "nuisance", "tuning", "tuned", "matched"]
    apart += [] if study.match else ["match", "free", "match_tolerance"]
    plain = {field.name: getattr(study, field.name) for field in fields(Study) if field.name not in apart}
    plain |= (
        {"own_metrics": {name: facts_of(one) for name, one in study.own_metrics.items()}} if study.own_metrics else {}
    )
    claim = asdict(study.claim) if study.claim else None
    planned = study.adaptive
    adaptive = {"looks": planned.looks, "trials": planned.trials, **planned.budget} if planned else None
    own = {} if (components := _components(study)) is None else {"components": components}
    matched = {"matched": matched_rows(study.matched)} if study.match else {}
    whole = {**plain, "base": base.model_dump(), "claim": claim, "adaptive": adaptive, **matched, **own}
    if study.nuisance:
        nuisance = {path: domain_as_json(domain) for path, domain in study.nuisance.items()}
        whole |= {"nuisance": nuisance, "tuning": asdict(study.tuning), "tuned": tuned_as_json(study)}
    if own and (made := _made(study, whole)):
        whole |= {"made": [{"arm": arm_as_json(arm), "fields": changed} for arm, changed in made.items()]}
    return json.dumps(whole, indent=2, default=dict)


def matched_rows(matched: Sequence[Matched]) -> list[dict[str, Any]]:
    """What arms were matched by, as plain data."""
    return [{"arm": one.arm.levels, "value": one.value, "figure": one.figure, "target": one.target} for one in matched]


def matched_of(rows: list[dict[str, Any]]) -> tuple[Matched, ...]:
    """What `matched_rows` wrote."""
    return tuple(
        Matched(arm=arm_from_json(row["arm"]), value=row["value"], figure=int(row["figure"]), target=int(row["target"]))
        for row in rows
    )


def _components(study: Study) -> Recorded | None:
    """What each component from outside takes, found by checking all of them once more; None where nothing is.

    A metric or a stage takes nothing and is from outside all the same: then it is {}.
    """
    if isinstance(study, RecordedStudy):
        return study.recorded
    recipes = (study.recipe_of(arm) for arm in study.arms)
    if not any(True for recipe in recipes for _ in own_of(recipe)):
        return None
    with noted() as found:
        replace(study)
    return found


def _made(study: Study, document: Mapping[str, Any]) -> Mapping[Arm, Mapping[str, Any]]:
    """What the components' own validators made of what is written, by arm, where a reader without them has others."""
    if isinstance(study, RecordedStudy):
        return study.made
    found = {}
    try:
        read = read_study(json.dumps(document, default=dict))
        recipes = [(arm, read.recipe_of(arm), study.recipe_of(arm)) for arm in study.arms]
    except (StudyError, RecipeError):  # a validator takes what its schema does not: no reason to train nothing
        return {}
    for arm, *both in recipes:
        there, here = (dict(leaves(recipe.model_dump(mode="json"))) for recipe in both)
        if changed := {path: value for path, value in here.items() if there.get(path, _ABSENT) != value}:
            found[Arm(arm.levels)] = changed
    return found


def read_study(text: str | bytes) -> Study:
    """The study that `write_study` wrote, a `RecordedStudy` where it has components of its own: none is imported.

    Raises:
        StudyError: the text is no such document.
    """
    try:
        document: dict[str, Any] = json.loads(text)
        # Where an earlier release kept the facts of its metrics and no components, there were none to keep.
        recorded = document.pop("components", {} if document.get("own_metrics") else None)
        if recorded is not None:
            return _study_of(document, recorded)
        # An earlier release kept no components: where they are here they say what their defaults are.
        try:
            return _study_of(document, None)
        except RecipeError:
            return _study_of(json.loads(text), {})
    except (StudyError, RecipeError):
        raise
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError, ValueError) as error:
        raise StudyError(f"this is no study document ({error}); paribus writes one as study.json of a study") from None


def _study_of(document: dict[str, Any], recorded: Recorded | None) -> Study:
    """The study of a decoded document, with the components of its own as `recorded`; None: they are imported."""
    with as_recorded(recorded) if recorded is not None else nullcontext():
        document["base"] = Recipe.read(json.dumps(document["base"]))
    document["factors"] = {path: _levels(levels) for path, levels in document["factors"].items()}
    document["fixed"] = _by_path(document["fixed"])
    document["baseline"] = None if document["baseline"] is None else _by_path(document["baseline"])
    document["arms_listed"] = tuple(_by_path(arm) for arm in document["arms_listed"])
    if "ablate" in document:  # not in what earlier releases wrote
        document["ablate"] = {name: _by_path(fields) for name, fields in document["ablate"].items()}
        document["exclude"] = tuple(
            {path: _levels(levels) for path, levels in pattern.items()} for pattern in document["exclude"]
        )
    if adaptive := document.pop("adaptive", None):
        document["replicates"] = Adaptive(adaptive["looks"], trials=adaptive["trials"], hours=adaptive.get("hours"))
    if "nuisance" in document:
        document["nuisance"] = {path: domain_from_json(each) for path, each in document["nuisance"].items()}
        document["tuning"] = Tuning(**document["tuning"])
        document["tuned"] = tuned_from_json(document["tuned"], level_from_json, arm_from_json)
    document["matched"] = matched_of(document.get("matched", []))
    document["own_metrics"] = {name: told_metric(facts) for name, facts in document.get("own_metrics", {}).items()}
    if claim := document["claim"]:
        claim["arms"] = {path: _levels(levels) for path, levels in claim["arms"].items()}
        document["claim"] = Claim(**claim)
    made = {arm_from_json(row["arm"]): _by_path(row["fields"]) for row in document.pop("made", [])}
    if recorded is None:
        return Study(**document)
    return RecordedStudy(**document, recorded=recorded, made=made)


def write_places(places: Mapping[str, Place]) -> str:
    """The study's trials as JSON, in the plan's order: each one's id with its arm and replicate."""
    rows = [{"id": name, "arm": arm_as_json(arm), "replicate": replicate} for name, (arm, replicate) in places.items()]
    return json.dumps(rows)


def read_places(document: Any, study: Study) -> dict[str, Place]:
    """The places of a study's trials from the decoded document.

    Earlier releases wrote the ids alone, in the plan's order: all arms of replicate 1, then of 2, and so on.

    Raises:
        StudyError: the document is none of the two.
    """
    try:
        if all(isinstance(row, str) for row in document):
            grid = [(arm, replicate) for replicate in range(1, study.replicates + 1) for arm in study.arms]
            return dict(zip(document, grid, strict=True))
        own = {arm: arm for arm in study.trained}  # these have their labels
        rows = [(row["id"], arm_from_json(row["arm"]), int(row["replicate"])) for row in document]
        return {name: (own.get(arm, arm), replicate) for name, arm, replicate in rows}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise StudyError(f"this is no list of the study's trials ({error}); run the study's command again") from None


def _levels(levels: list[Any]) -> tuple[Any, ...]:
    return tuple(map(level_from_json, levels))


def _by_path(levels: dict[str, Any]) -> dict[str, Any]:
    return {path: level_from_json(level) for path, level in levels.items()}
