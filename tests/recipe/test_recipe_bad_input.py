"""What a wrong recipe says: the value, what is allowed, the nearest right name. One row a mistake."""

import pytest
from pydantic import ValidationError

from paribus.recipe import Budget, Recipe, RecipeError, RMSProp, WideResNet, preset
from paribus.recipe.paths import assign, leaves

BASE = preset("digits")

UNKNOWN_PATHS = [
    ("model.dept", "did you mean 'model.depth'?"),
    ("modle.depth", "did you mean 'model.depth'?"),
    ("depth", "did you mean 'model.depth'?"),
    ("residualscale", "did you mean 'model.residual_scale'?"),
    ("model.depth.x", "did you mean 'model.depth'?"),
    ("model.zzz", "model has family, width, activation, residual_scale"),
    ("schedule.milestones", "schedule has warmup_epochs, warmup_lr, kind, final_fraction"),
    ("model.auxiliary.weight", "model has family, width, activation"),
    ("model.stochastic_dept.survival", "did you mean 'model.stochastic_depth.survival'?"),
    ("zzz", "it begins with one of model, data, augment"),
    ("", "it begins with one of model, data, augment"),
]

WRONG_VALUES = [
    # the wrong type: nothing is converted
    ({"model.depth": "28"}, "model.depth = '28': should be a valid integer"),
    ({"model.depth": 28.0}, "model.depth = 28.0: should be a valid integer"),
    ({"model.depth": True}, "model.depth = True: should be a valid integer"),
    ({"model.width": None}, "model.width = None: should be a valid number"),
    ({"model.width": "2"}, "model.width = '2': should be a valid number"),
    ({"model.norm": 1}, "model.norm = 1: 1 is no norm: give its name"),
    ({"augment.flip": 1}, "augment.flip = 1: should be a valid boolean"),
    ({"augment.flip": "yes"}, "augment.flip = 'yes': should be a valid boolean"),
    ({"training.clip_norm": "none"}, "no value is written null"),
    ({"model": 1}, "model = 1: is a part of the recipe, not a field"),
    ({"model": {"family": "wide_resnet", "deph": 40}}, "model.deph = 40: there is no such field"),
    ({"optimizer": {"lr": 0.3}}, "optimizer: has no 'kind': say which"),
    ({"model.depth": object()}, "of type object cannot be in a recipe"),
    ({"model.depth": {1, 2}}, "of type set cannot be in a recipe"),
    ({"data.name": b"digits"}, "of type bytes cannot be in a recipe"),
    ({5: 3}, "5 is no path: name a recipe field as text"),
    ({"model.se.stages": 2}, "model.se.stages = 2: should be a tuple, such as (2,)"),
    (
        {"model.family": "inception_v1", "model.auxiliary.at": "4a"},
        "model.auxiliary.at = '4a': should be a tuple, such as ('4a',)",
    ),
    (
        {"model.family": "inception_v1", "model.auxiliary.at": "4a, 4d"},
        "model.auxiliary.at = '4a, 4d': should be a tuple, such as ('4a', '4d')",
    ),
    ({"model": "wide_resnet"}, "'wide_resnet' is a family, no network: set model.family=wide_resnet"),
    ({"model.se.stages": ()}, "se.stages is empty: null means all stages, and se.place 'none' means none"),
    ({"model.family": "inception_v4", "model.blocks": (4, 7)}, "model.blocks.2 = [4, 7]: too few values"),
    ({"model.family": "inception_v4", "model.blocks": (4, 7, 3, 1)}, "should have at most 3 items"),
    # out of range
    ({"model.dropout": 1.0}, "model.dropout = 1.0: should be less than 1"),
    ({"model.dropout": -0.1}, "model.dropout = -0.1: should be greater than or equal to 0"),
    ({"training.label_smoothing": 1.0}, "should be less than 1"),
    ({"training.ema_decay": 1.0}, "should be less than 1"),
    ({"data.max_undecodable": 1.0}, "should be less than 1"),
    ({"model.residual_scale": -0.1}, "model.residual_scale = -0.1: should be greater than 0"),
    ({"model.residual_scale": 0}, "model.residual_scale = 0: should be greater than 0"),
    ({"model.residual_scale": float("nan")}, "should be a finite number"),
    ({"model.residual_scale": float("inf")}, "should be a finite number"),
    ({"model.width": 0}, "should be greater than 0"),
    ({"data.train_fraction": 0}, "should be greater than 0"),
    ({"data.train_fraction": 1.1}, "should be less than or equal to 1"),
    ({"data.holdout": 0.6}, "should be less than or equal to 0.5"),
    ({"data.holdout": -0.1}, "should be greater than or equal to 0"),
    ({"data.batch_size": 0}, "should be greater than or equal to 1"),
    ({"optimizer.lr": -1}, "should be greater than 0"),
    ({"evaluation.every_epochs": 0}, "should be greater than or equal to 1"),
    ({"schedule.kind": "step", "schedule.milestones": (0.5, 0.2)}, "rising fractions of the budget"),
    ({"schedule.kind": "step", "schedule.milestones": (0.5, 0.5)}, "rising fractions of the budget"),
    ({"schedule.kind": "step", "schedule.milestones": (60.0,)}, "rising fractions of the budget"),
    ({"data.size": 8, "augment.cutout": 9}, "augment.cutout = 9 is wider than the input, data.size = 8"),
    # a word nearly right
    ({"model.dropout_placement": "brnch"}, "did you mean 'branch'?"),
    ({"numerics.precision": "bfloat"}, "did you mean 'bfloat16'?"),
    (
        {"optimizer.kind": "rmsporp"},
        "no kind 'rmsporp': did you mean 'rmsprop'? (allowed: sgd, rmsprop, adamw, lion, muon, module:Name)",
    ),
    ({"optimizer.kind": "rmsprop", "optimizer.nesterov": True}, "optimizer has lr, weight_decay"),
    # budgets
    ({"budget": "six epochs"}, "write an amount and a unit, such as '6 epochs'"),
    ({"budget": ""}, "write an amount and a unit"),
    ({"budget": "6 epoch"}, "did you mean 'epochs'?"),
    ({"budget": "-1 epochs"}, "budget.amount = -1.0: should be greater than 0"),
    ({"budget": "nan steps"}, "should be a finite number"),
    ({"budget": 0}, "should be greater than 0"),
    # blocks
    ({"model.block": (3, 5)}, "kernels 1 or 3"),
    ({"model.block": ()}, "1 to 8 convolutions"),
    ({"model.block": (3,) * 9}, "1 to 8 convolutions"),
    ({"model.block": 3}, "kernel sizes such as (3, 3) or (3, 1, 3), or 'bottleneck'"),
    ({"model.block": (3.0, 3)}, "kernel sizes such as"),
    ({"model.block": (True, 3)}, "kernel sizes such as"),
    ({"model.block": "bottlenek"}, "kernel sizes such as"),
    ({"model.block": "bottleneck"}, "belongs to the imagenet stem"),
    ({"model.stem": "imagenet", "model.depth": 18, "model.block": (3, 1, 3)}, "with the imagenet stem the block is"),
]

DEPTHS = [
    ({"model.depth": 17}, "depth 17 is not 6N + 4", "the nearest are 16 and 22"),
    ({"model.depth": 15}, "depth 15 is not 6N + 4", "the nearest are 10 and 16"),
    ({"model.depth": 5}, "depth 5 is not 6N + 4", "the nearest is 10"),
    ({"model.depth": 4}, "depth 4 is not 6N + 4", "the nearest is 10"),
    ({"model.stem": "imagenet"}, "depth 16 with the imagenet stem", "allowed are 18, 34; the nearest is 18"),
    ({"model.stem": "imagenet", "model.depth": 50}, "block (3, 3)", "allowed are 18, 34; the nearest is 34"),
    (
        {"model.stem": "imagenet", "model.block": "bottleneck", "model.depth": 120},
        "block 'bottleneck'",
        "allowed are 50, 101, 152; the nearest is 101",
    ),
]


@pytest.mark.parametrize(("path", "hint"), UNKNOWN_PATHS)
def test_an_unknown_path_names_the_nearest(path: str, hint: str) -> None:
    with pytest.raises(RecipeError) as error:
        BASE.replace({path: 1})
    assert str(error.value).startswith(f"no recipe field {path!r}: ")
    assert hint in str(error.value)


@pytest.mark.parametrize(("changes", "message"), WRONG_VALUES, ids=str)
def test_a_wrong_value_says_what_is_allowed(changes: dict, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        BASE.replace(changes)
    assert message in str(error.value)
    assert "pydantic" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("changes", "what", "nearest"), DEPTHS, ids=str)
def test_a_depth_that_does_not_fit_names_the_nearest(changes: dict, what: str, nearest: str) -> None:
    with pytest.raises(RecipeError) as error:
        BASE.replace(changes)
    assert what in str(error.value)
    assert nearest in str(error.value)


@pytest.mark.parametrize("depth", range(1, 60))
def test_the_depths_named_as_nearest_are_allowed_and_surround_the_wrong_one(depth: int) -> None:
    try:
        WideResNet(depth=depth)
    except ValidationError as error:
        message = error.errors()[0]["msg"].partition("the nearest ")[2]
    else:
        assert depth >= 10
        assert (depth - 4) % 6 == 0
        return
    named = [int(word) for word in message.split() if word.isdigit()]
    assert all(WideResNet(depth=near).depth == near for near in named)
    assert named == [10] if depth < 10 else named[0] < depth < named[1] == named[0] + 6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "recipe: Invalid JSON"),
        (b"\xff", "recipe: Invalid JSON"),
        ("[]", "recipe = []: should be an object"),
        ('{"modle": {}}', "modle: there is no such field"),
        ('{"model": {"family": "wide_resnet", "depth": 17}}', "the nearest are 16 and 22"),
        ('{"optimizer": {"kind": "adam"}}', "did you mean 'adamw'?"),
    ],
)
def test_a_document_that_is_no_recipe_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        Recipe.read(text)
    assert message in str(error.value)


def test_a_broken_document_is_not_printed_whole() -> None:
    with pytest.raises(RecipeError) as error:
        Recipe.read(BASE.model_dump_json()[:-10])
    assert len(str(error.value)) < 150


def test_an_unknown_preset_names_the_nearest_and_all() -> None:
    with pytest.raises(RecipeError, match="no preset 'digit': did you mean 'digits'") as error:
        preset("digit")
    assert "cifar100" in str(error.value)
    with pytest.raises(RecipeError, match="allowed: digits, fashion_mnist, cifar10"):
        preset("zzzzz")


def test_a_part_takes_no_unknown_field_and_no_positional_one() -> None:
    with pytest.raises(ValidationError, match="deph"):
        WideResNet(deph=16)
    with pytest.raises(TypeError):
        Budget(6.0)


def test_assigning_leaves_the_tree_as_it_was_if_the_path_is_wrong() -> None:
    tree = BASE.model_dump()
    with pytest.raises(RecipeError):
        assign(tree, "model.nothing.here", 1)
    assert list(leaves(tree)) == list(leaves(BASE.model_dump()))


def test_a_field_of_another_kind_of_part_needs_that_kind() -> None:
    with pytest.raises(RecipeError, match=r"optimizer\.decay"):
        BASE.replace({"optimizer.decay": 0.9})
    assert BASE.replace({"optimizer": RMSProp(), "optimizer.decay": 0.8}).optimizer == RMSProp(decay=0.8)
