"""A study goes through its document unchanged, trials and all."""

import json
from dataclasses import replace
from typing import Any

import pytest

from paribus import Claim, Study, preset
from paribus.recipe import RecipeError, WideResNet
from paribus.study import StudyError
from paribus.study.document import read_places, read_study, write_study
from paribus.study.plan import trials

STUDIES: list[dict[str, Any]] = [
    {"factors": {"model.depth": (16, 40)}},
    {"factors": {"model.depth": [16, 40]}, "base": "cifar10"},
    {"factors": {"model.block": ((3, 3), (3, 1, 3)), "training.ema_decay": (None, 0.99)}, "seed": 7},
    {"factors": {"model.width": (1, 2.0)}, "fixed": {"budget": "100 steps", "model.block": (3,)}, "question": "So?"},
    {
        "factors": {"model.depth": (16, 40), "model.block": ((3, 3), (3, 1, 3))},
        "baseline": {"model.block": (3, 3)},
        "metric": "log_likelihood",
        "margin": 0.02,
        "alpha": 0.1,
        "claim": Claim(
            "B(3,1,3) harms nothing", "WRN, Table 2", arms={"model.block": ((3, 1, 3),)}, setting="CIFAR-10"
        ),
    },
    {"factors": {"model.depth": (16, 40), "model.norm": ("batch", "none")}, "design": "one_at_a_time"},
    {
        "design": "explicit",
        "arms_listed": [{}, {"model.block": (3, 1, 3)}, {"augment.flip": True}],
        "claim": Claim("é", "s", direction="stabler"),
    },
]


@pytest.mark.parametrize("fields", STUDIES, ids=lambda fields: ",".join(fields))
def test_a_study_goes_through_its_document(fields: dict[str, Any]) -> None:
    study = Study(name="test", **fields)
    back = read_study(write_study(study))
    assert back == replace(study, base=preset(study.base) if isinstance(study.base, str) else study.base)
    assert write_study(back) == write_study(study)
    assert (back.arms, back.baselines, back.claim) == (study.arms, study.baselines, study.claim)
    assert trials(back, lambda recipe: "d") == trials(study, lambda recipe: "d")
    assert back.caveats() == study.caveats()
    assert read_study(write_study(back).encode()) == back


def test_a_whole_part_that_is_fixed_goes_through_too() -> None:
    study = Study(name="test", factors={"optimizer.lr": (0.1, 1.0)}, fixed={"model": WideResNet(depth=40)})
    back = read_study(write_study(study))
    assert back.base_recipe == study.base_recipe
    assert trials(back, lambda recipe: "d") == trials(study, lambda recipe: "d")


def test_a_later_preset_changes_no_document() -> None:
    document = json.loads(write_study(Study(name="test", factors={"model.depth": (16, 40)})))
    assert document["base"] == json.loads(preset("digits").model_dump_json())


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "{}", "3", '"x"', '{"base": {}}', b"\xff\xfe", b'{"a": "\xff"}']
)
def test_a_text_that_is_no_study_document_is_refused(text: str | bytes) -> None:
    with pytest.raises(StudyError, match="this is no study document"):
        read_study(text)


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("surprise", 1, StudyError, "surprise"),
        ("base", {"model": {"family": "wide_resnet", "depth": 17}}, RecipeError, "the nearest are 16 and 22"),
        ("replicates", 0, StudyError, "replicates = 0"),
        ("factors", {"model.depth": []}, StudyError, "has no levels"),
        ("factors", [], StudyError, "this is no study document"),
        ("claim", {"arms": {}, "texts": "c"}, StudyError, "Claim has no 'texts'"),
    ],
)
def test_a_document_with_a_wrong_field_says_which(
    field: str, value: object, error: type[ValueError], message: str
) -> None:
    document = json.loads(write_study(Study(name="test", factors={"model.depth": (16, 40)})))
    with pytest.raises(error) as raised:
        read_study(json.dumps({**document, field: value}))
    assert message in str(raised.value)


PLACE = {"id": "a", "arm": [["model.depth", 16]], "replicate": 1}
NO_PLACES = {
    "a number": 7,
    "numbers": [1],
    "empty": [{}],
    "mixed": ["a", {}],
    "an arm that is a number": [PLACE | {"arm": 7}],
    "a path that is a number": [PLACE | {"arm": [[1, 2]]}],
    "a level that is an object": [PLACE | {"arm": [["model.depth", {}]]}],
    "an endless replicate": [PLACE | {"replicate": float("inf")}],
    "an id that is a list": [PLACE | {"id": []}],
}


@pytest.mark.parametrize("document", NO_PLACES.values(), ids=NO_PLACES)
def test_what_is_no_list_of_trials_is_refused_in_one_sentence(document: object) -> None:
    study = Study(name="s", base="digits", factors={"model.depth": (16, 22)})
    with pytest.raises(StudyError, match="no list of the study's trials"):
        read_places(document, study)
