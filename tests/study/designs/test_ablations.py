"""A full recipe, and the same without its components, one by one or in pairs."""

import json
from typing import Any

import pytest

from paribus import Study, preset
from paribus.recipe import RecipeError
from paribus.study import StudyError
from paribus.study.document import read_places, read_study, write_places, write_study
from paribus.study.plan import places, trials

ABLATE: dict[str, Any] = {
    "optimizer.nesterov": False,
    "regularisation": {"optimizer.weight_decay": 0.0, "model.dropout": 0.0},
    "model.norm": "none",
}
FIXED = {"model.dropout": 0.3}
DROPOUT = {"model.dropout": 0.0}


def ablation(**more: Any) -> Study:
    return Study(**{"name": "a", "ablate": ABLATE, "fixed": {}, "base": base(), **more})


def base() -> Any:
    return preset("digits").replace(FIXED)


def test_the_arms_are_the_full_recipe_and_it_without_each_component() -> None:
    made = ablation()
    assert made.design == "leave_one_out"
    assert [arm.name for arm in made.arms] == [
        "full",
        "without nesterov",
        "without regularisation",
        "without norm",
    ]
    assert {made.baseline_of(arm).name for arm in made.arms} == {"full"}
    full, _, bare, _ = (made.recipe_of(arm) for arm in made.arms)
    assert full == base()
    assert bare == base().replace({"optimizer.weight_decay": 0.0, "model.dropout": 0.0})


def test_what_is_taken_away_may_be_put_into_the_full_recipe_by_fixing_it() -> None:
    made = ablation(
        base="digits", fixed={**FIXED, "optimizer.weight_decay": 0.1}, ablate={"optimizer.weight_decay": 0.0, **DROPOUT}
    )
    assert [made.recipe_of(arm).optimizer.weight_decay for arm in made.arms] == [0.1, 0.0, 0.1]
    assert [made.recipe_of(arm).model.dropout for arm in made.arms] == [0.3, 0.3, 0.0]
    assert made.recipe_of(made.arms[0]) == made.base_recipe


def test_pairs_are_taken_away_together_on_demand() -> None:
    made = ablation(design="leave_two_out")
    assert [arm.name for arm in made.arms[4:]] == [
        "without nesterov and regularisation",
        "without nesterov and norm",
        "without regularisation and norm",
    ]
    assert made.recipe_of(made.arms[5]) == base().replace({"optimizer.nesterov": False, "model.norm": "none"})


@pytest.mark.parametrize("design", ["leave_one_out", "leave_two_out"])
def test_an_ablation_goes_through_its_document_with_the_names_of_its_arms(design: Any) -> None:
    made = ablation(design=design, replicates=2)
    again = read_study(write_study(made))
    assert again == read_study(write_study(again))
    assert again.arms == made.arms
    assert [arm.name for arm in again.arms] == [arm.name for arm in made.arms]
    own = places(trials(made, lambda recipe: "digest"))
    read = read_places(json.loads(write_places(own)), again)
    assert [(name, arm.name, replicate) for name, (arm, replicate) in read.items()] == [
        (name, arm.name, replicate) for name, (arm, replicate) in own.items()
    ]


def test_an_ablation_shares_its_trials_with_the_same_arms_listed_by_hand() -> None:
    made = ablation()
    listed = Study(name="a", base=base(), design="explicit", arms_listed=[arm.as_dict() for arm in made.arms])
    ids = [trial.id for trial in trials(made, lambda recipe: "digest")]
    assert ids == [trial.id for trial in trials(listed, lambda recipe: "digest")]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ablate": {"optimizer.nesterov": True}}, "taking 'nesterov' away changes nothing"),
        ({"ablate": {"optimizer.nesterow": True}}, "nesterow"),
        ({"ablate": {"decay": {}}}, "name a component"),
        ({"ablate": ["model.norm"]}, "map what is taken away"),
        ({"factors": {"model.depth": (16, 22)}}, "takes ablate"),
        ({"design": "explicit"}, "takes arms_listed"),
        ({"ablate": {}, "design": "leave_one_out"}, "takes ablate"),
        ({"baseline": {"model.norm": "batch"}}, "the full recipe is what an ablation compares with"),
        (
            {"ablate": {"norm": {"model.norm": "none"}, "group": {"model.norm": "group"}}, "design": "leave_two_out"},
            "both set 'model.norm'",
        ),
    ],
)
def test_what_is_no_ablation_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises((StudyError, RecipeError), match=words):
        ablation(**fields)


def test_two_components_of_one_short_name_have_their_whole_paths() -> None:
    made = ablation(ablate={"norm": {"model.dropout": 0.0}, "model.norm": "none"})
    assert [arm.name for arm in made.arms] == ["full", "without norm", "without model.norm"]
