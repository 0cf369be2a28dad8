"""Factors become arms, arms have baselines, and what cannot be said is refused where it is written."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from paribus import Claim, Recipe, Study, preset
from paribus.recipe import AdamW, Budget, RecipeError, WideResNet
from paribus.study import Arm, StudyError
from paribus.study.words import Level, show_level

DEPTHS = {"model.depth": (16, 40)}
SCALES = {"model.residual_scale": (0.1, 1.0)}


def study(**fields: Any) -> Study:
    return Study(**{"name": "test", "factors": DEPTHS, **fields})


def names(made: Study) -> list[str]:
    return [arm.name for arm in made.arms]


def test_a_factorial_has_every_combination_the_first_factor_slowest() -> None:
    assert names(study(factors={**DEPTHS, **SCALES})) == [
        "depth=16 · residual_scale=0.1",
        "depth=16 · residual_scale=1",
        "depth=40 · residual_scale=0.1",
        "depth=40 · residual_scale=1",
    ]


def test_a_factorial_without_the_bases_levels_has_the_base_as_its_first_arm() -> None:
    made = study(factors={"model.width": (2.0, 4.0)})
    assert names(made) == ["k=1", "k=2", "k=4"]
    assert made.baselines == made.arms[:1]


def test_one_at_a_time_is_the_centre_and_one_change_each() -> None:
    made = study(factors={**DEPTHS, **SCALES}, design="one_at_a_time")
    assert names(made) == [
        "depth=16 · residual_scale=1",
        "depth=40 · residual_scale=1",
        "depth=16 · residual_scale=0.1",
    ]
    assert {made.baseline_of(arm) for arm in made.arms} == {made.arms[0]}


def test_one_at_a_time_compares_with_its_centre_however_little_of_it_is_named() -> None:
    made = study(factors={**DEPTHS, **SCALES}, design="one_at_a_time", baseline={"model.residual_scale": 0.1})
    assert names(made) == [
        "depth=16 · residual_scale=0.1",
        "depth=40 · residual_scale=0.1",
        "depth=16 · residual_scale=1",
    ]
    assert {made.baseline_of(arm) for arm in made.arms} == {made.arms[0]}
    assert made.baselines == made.arms[:1]


def test_explicit_arms_take_from_the_baseline_what_they_do_not_name() -> None:
    listed = ({}, {"model.depth": 40}, {"model.width": 2.0, "model.depth": 22})
    made = study(factors={}, design="explicit", arms_listed=listed)
    assert names(made) == ["depth=16 · k=1", "depth=40 · k=1", "depth=22 · k=2"]
    assert made.baselines == made.arms[:1]


def test_explicit_arms_take_the_named_baselines_level_before_the_bases() -> None:
    listed = ({}, {"model.depth": 40})
    made = study(factors={}, design="explicit", arms_listed=(*listed, {"model.norm": "none"}))
    assert [arm.as_dict()["model.norm"] for arm in made.arms] == ["batch", "batch", "none"]
    made = study(
        factors={},
        design="explicit",
        arms_listed=(*listed, {"model.norm": "batch"}),
        baseline={"model.norm": "none", "model.depth": 16},
    )
    assert [arm.as_dict()["model.norm"] for arm in made.arms] == ["none", "none", "batch"]
    assert made.baselines == made.arms[:1]


def test_a_partial_baseline_stratifies_by_the_factors_that_it_leaves_out() -> None:
    made = study(factors={**DEPTHS, **SCALES}, baseline={"model.residual_scale": 1.0})
    assert [arm.name for arm in made.baselines] == ["depth=16 · residual_scale=1", "depth=40 · residual_scale=1"]
    for arm in made.arms:
        against = made.baseline_of(arm).as_dict()
        assert against == {"model.depth": arm.as_dict()["model.depth"], "model.residual_scale": 1.0}


def test_without_a_baseline_every_arm_is_compared_with_the_base_recipe() -> None:
    made = study(factors={**DEPTHS, **SCALES})
    assert {made.baseline_of(arm).name for arm in made.arms} == {"depth=16 · residual_scale=1"}
    assert made.recipe_of(made.baselines[0]) == preset("digits")


def test_fixed_settings_move_the_base_and_so_the_baseline() -> None:
    made = study(factors=SCALES, fixed={"model.depth": 40, "budget": "2 epochs"})
    assert {made.recipe_of(arm).model.depth for arm in made.arms} == {40}
    assert made.base_recipe.budget == Budget(amount=2.0)
    assert made.caveats()["model.depth"] == 40
    assert study(fixed={"model.width": 2.0}).recipe_of(Arm.of({"model.depth": 40})).model.width == 2.0


def test_every_arms_recipe_differs_from_the_base_in_its_levels_alone() -> None:
    made = study(factors={**DEPTHS, "model.block": ((3, 3), (3, 1, 3)), "training.ema_decay": (None, 0.99)})
    assert len(made.arms) == 8
    for arm in made.arms:
        assert made.recipe_of(arm) == preset("digits").replace(arm.as_dict())
    assert made.arms[-1].name == "depth=40 · block=(3,1,3) · ema_decay=0.99"


def test_a_factor_of_kinds_brings_each_kinds_own_fields() -> None:
    made = study(factors={"optimizer.kind": ("sgd", "adamw"), "optimizer.lr": (0.1, 0.01)})
    assert made.recipe_of(made.arms[-1]).optimizer == AdamW(lr=0.01)
    assert "optimizer.weight_decay" not in made.caveats(), "it differs between the kinds, so it is not fixed"
    assert "optimizer.decay_norms_and_biases" in made.caveats()


def test_caveats_are_all_that_the_arms_share() -> None:
    caveats = study(factors={}, design="explicit", arms_listed=({}, {"model.depth": 40})).caveats()
    assert "model.depth" not in caveats
    assert caveats["optimizer.lr"] == 0.1
    assert caveats["model.block"] == (3, 3)


def test_a_study_is_frozen_and_its_own() -> None:
    factors = {"model.depth": [16, 40]}
    made = study(factors=factors)
    factors["model.depth"].append(28)
    factors["model.width"] = (2.0,)
    assert made == study()
    with pytest.raises(FrozenInstanceError):
        made.replicates = 3


def test_varying_keeps_the_rest() -> None:
    made = study(fixed={"budget.amount": 3.0, "model.width": 2.0})
    varied = made.vary(base="synthetic", fixed={"optimizer.lr": 0.5}, replicates=7)
    assert (varied.replicates, varied.base, varied.factors) == (7, "synthetic", made.factors)
    assert varied.fixed == {"budget.amount": 3.0, "model.width": 2.0, "optimizer.lr": 0.5}
    assert made.vary() == made
    assert made.vary(fixed={"model.width": 4.0}).base_recipe.model.width == 4.0


def test_what_is_set_last_holds_whether_it_is_a_part_or_a_field() -> None:
    assert study(fixed={"budget.amount": 3.0}).vary(fixed={"budget": "100 steps"}).base_recipe.budget == Budget(
        amount=100.0, unit="steps"
    )
    assert study(fixed={"budget": "6 epochs"}).vary(fixed={"budget.amount": 1}).base_recipe.budget == Budget(amount=1.0)


def test_setting_a_factor_from_outside_is_refused() -> None:
    with pytest.raises(StudyError, match=r"'model\.depth' is a factor and is fixed at 28"):
        study().vary(fixed={"model.depth": 28})


EXPLICIT: dict[str, Any] = {"factors": {}, "design": "explicit"}
BAD_STUDIES = [
    # levels
    ({"factors": {"model.depth": ()}}, "factor 'model.depth' has no levels: give at least one"),
    ({"factors": {"model.depth": (16, 40, 16)}}, "factor 'model.depth' has the level 16 2 times"),
    ({"factors": {"model.width": (2, 2.0)}}, "has the level 2 2 times"),
    ({"factors": {"model.depth": 16}}, "has levels 16: give a tuple of them"),
    ({"factors": {"model.norm": "batch"}}, "has levels 'batch': give a tuple of them"),
    ({"factors": {"model.depth": {16, 40}}}, "give a tuple of them"),
    ({"factors": {"model.block": ([3, 3], [3])}}, "has the level [3, 3]: a level is one value, or a tuple"),
    ({"factors": [1]}, "map paths to levels"),
    ({"factors": {}}, "the factorial design takes factors"),
    # parts, twins
    ({"factors": {"optimizer": (1, 2)}}, "'optimizer' is a part of the recipe, not a field: name one of its fields"),
    ({"factors": {"budget": ("6 epochs", "9 epochs")}}, "'budget' is a part of the recipe, not a field"),
    ({"factors": {"resources.cpus": (1.0, 2.0)}}, "'cpus=1' and 'cpus=2' would train the same trials"),
    ({"factors": {"model.block": ((3, 3), "B(3,3)")}}, "would train the same trials"),
    ({"fixed": {"model.depth": 28}}, "'model.depth' is a factor and is fixed at 28: drop one of the two"),
    (
        {"factors": {"optimizer.kind": ("sgd", "adamw")}, "fixed": {"optimizer.lr": 0.3}},
        "'optimizer.lr' is fixed at 0.3, but the arm 'kind=adamw' starts that part afresh",
    ),
    # designs
    ({"design": "factoral"}, "did you mean 'factorial'?"),
    ({"design": "explicit"}, "the explicit design takes arms_listed"),
    ({**EXPLICIT, "factors": DEPTHS, "arms_listed": ({},)}, "and neither of the others"),
    ({"arms_listed": ({},)}, "arms_listed is for 'explicit'"),
    (
        {**EXPLICIT, "arms_listed": ({"model.depth": 16}, {"model.depth": 16})},
        "the arm 'depth=16' appears 2 times: give each arm once, and ask for replicates",
    ),
    (
        {**EXPLICIT, "arms_listed": ({}, {"model.width": 2.0}), "fixed": {"model.width": 3.0}},
        "is a factor and is fixed",
    ),
    (
        {**EXPLICIT, "arms_listed": ({"model.depth": 40}, {"model.width": 2.0})},
        "has no baseline to be compared with: 'depth=16 · k=1' is no arm; add it, or name another baseline",
    ),
    # baselines
    ({"baseline": {"model.depth": 28}}, "the baseline's level 28 of 'model.depth' is none of the study's: 16, 40"),
    ({"baseline": {"model.width": 1.0}}, "the baseline names 'model.width', which is no factor"),
    ({"baseline": {}}, "the baseline is empty: leave it out"),
    # numbers and words
    ({"replicates": 0}, "replicates = 0: a whole number of at least 1"),
    ({"replicates": True}, "replicates = True"),
    ({"replicates": 2.5}, "replicates = 2.5"),
    ({"alpha": 0}, "alpha = 0"),
    ({"alpha": "5 %"}, "alpha = '5 %': a number between 0 and 1"),
    ({"margin": 0}, "margin = 0: the smallest effect of interest is positive"),
    ({"margin": float("inf")}, "margin = inf"),
    ({"margin": float("nan")}, "margin = nan"),
    ({"margin": "x"}, "margin = 'x'"),
    ({"seed": 0.5}, "seed = 0.5: a whole number"),
    ({"name": ""}, "name '': use letters, digits, '_' and '-'"),
    ({"name": "a/b"}, "name 'a/b'"),
    ({"name": 3}, "name 3"),
    ({"base": None}, "base = None: give a preset's name, such as 'digits', or a Recipe"),
    ({"metric": "top"}, "metric 'top': allowed are 'top1'"),
    # claims
    ({"claim": "it helps"}, "give Claim(text, source=...)"),
    ({"claim": Claim("c", "s", direction="beter")}, "did you mean 'better'?"),
    ({"claim": Claim("c", "s", metric="accuracy")}, "the claim's metric 'accuracy': allowed are"),
    ({"claim": Claim("c", "s", arms={"model.dept": (40,)})}, "the claim is about 'model.dept', which is no factor"),
    (
        {"claim": Claim("c", "s", arms={"model.depth": (28,)})},
        "the claim's level 28 of 'model.depth' is none of the study's: 16, 40",
    ),
]

BAD_RECIPES = [
    ({"factors": {"model.dept": (16,)}}, "no recipe field 'model.dept': did you mean 'model.depth'?"),
    ({"factors": {3: (16,)}}, "3 is no path"),
    ({"factors": {"model.depth": (16, "40")}}, "study 'test', arm 'depth=40': model.depth = '40'"),
    ({"factors": {"model.depth": (16, 17)}}, "arm 'depth=17': model: depth 17 is not 6N + 4"),
    ({"factors": {"model.dropout": (0.0, 1.0)}}, "arm 'dropout=1': model.dropout = 1.0: should be less than 1"),
    ({"factors": {"model.residual_scale": (-0.1, 1.0)}}, "should be greater than 0"),
    ({"factors": {"model.residual_scale": (0.1, float("nan"))}}, "should be a finite number"),
    ({"fixed": {"model.dept": 16}}, "did you mean 'model.depth'?"),
    ({"base": "digit"}, "did you mean 'digits'?"),
    ({**EXPLICIT, "arms_listed": ({}, {"model.widht": 2.0})}, "did you mean 'model.width'?"),
]


@pytest.mark.parametrize(("fields", "message"), BAD_STUDIES, ids=[text[:50] for _, text in BAD_STUDIES])
def test_a_study_that_cannot_be_says_why(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as error:
        study(**fields)
    assert message in str(error.value)


@pytest.mark.parametrize(("fields", "message"), BAD_RECIPES, ids=[text[:50] for _, text in BAD_RECIPES])
def test_a_level_that_the_recipe_does_not_admit_is_refused_where_it_is_written(fields: dict, message: str) -> None:
    with pytest.raises(RecipeError) as error:
        study(**fields)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        (True, "yes"),
        (False, "no"),
        (None, "none"),
        (1.0, "1"),
        (0.1, "0.1"),
        (1e-5, "1e-05"),
        (16, "16"),
        ("branch", "branch"),
        ((3, 1, 3), "(3,1,3)"),
        ((0.5, 0.75), "(0.5,0.75)"),
        (0.1234567, "0.1234567"),
        (1234567.0, "1234567.0"),
    ],
)
def test_levels_are_shown_as_people_write_them(level: Level, shown: str) -> None:
    assert show_level(level) == shown


def test_two_levels_never_share_a_name() -> None:
    made = study(factors={"optimizer.lr": (0.1, 0.1000001, 0.10000001)})
    assert len(set(names(made))) == 3


def test_factors_that_share_a_last_part_are_named_whole() -> None:
    arm = Arm.of({"schedule.kind": "step", "optimizer.kind": "sgd", "model.width": 2})
    assert arm.name == "schedule.kind=step · optimizer.kind=sgd · k=2"
    assert Arm(()).name == "base recipe"


def test_arms_are_equal_by_value() -> None:
    assert Arm.of({"model.width": 2}) == Arm.of({"model.width": 2.0})
    assert len({Arm.of({"model.width": 2}), Arm.of({"model.width": 2.0})}) == 1
    assert Arm.of({"model.width": 2}).replace({"model.width": 4, "other": 1}) == Arm.of({"model.width": 4})


def test_a_claim_concerns_the_arms_that_it_names() -> None:
    claim = Claim("c", "s", arms={"model.depth": (40,), "model.residual_scale": (0.1, 0.2)})
    assert claim.concerns(Arm.of({"model.depth": 40, "model.residual_scale": 0.1}))
    assert not claim.concerns(Arm.of({"model.depth": 16, "model.residual_scale": 0.1}))
    assert Claim("c", "s").concerns(Arm(()))


def test_a_base_may_be_a_recipe_of_ones_own() -> None:
    base = Recipe(model=WideResNet(depth=40))
    made = study(base=base, factors=SCALES)
    assert made.base_recipe == base
    assert made.recipe_of(made.arms[0]) == base.replace({"model.residual_scale": 0.1})


def test_a_metric_in_nats_needs_a_margin_of_its_own() -> None:
    with pytest.raises(StudyError, match=r"in nats.*margin=0\.02"):
        Study(name="x", factors={"model.width": (1.0, 2.0)}, metric="log_likelihood")
    assert Study(name="x", factors={"model.width": (1.0, 2.0)}, metric="log_likelihood", margin=0.02).margin == 0.02


def test_published_nets_are_levels_of_a_factor() -> None:
    made = study(factors={"model": ("WRN-16-1", "ResNet-20")}, baseline={"model": "WRN-16-1"})
    assert [made.recipe_of(arm).model.name for arm in made.arms] == ["WRN-16-1", "ResNet-20"]
    assert [arm.name for arm in made.arms] == ["model=WRN-16-1", "model=ResNet-20"]
    with pytest.raises(RecipeError, match=r"no network 'ResNet-21': the nearest are .*ResNet-20, "):
        study(factors={"model": ("WRN-16-1", "ResNet-21")}, baseline={"model": "WRN-16-1"})


def test_a_listed_arm_with_another_optimizer_keeps_what_the_others_name_where_that_optimizer_has_it() -> None:
    """As it was before arms could have fields that others lack: else an old study's results would be other trials."""
    listed = ({"optimizer.kind": "sgd", "optimizer.lr": 0.05}, {"optimizer.kind": "adamw"})
    made = Study(
        name="a", design="explicit", arms_listed=listed, baseline={"optimizer.kind": "sgd", "optimizer.lr": 0.05}
    )
    assert [made.recipe_of(arm).optimizer.lr for arm in made.arms] == [0.05, 0.05]
    lacking = (
        {"optimizer.kind": "sgd", "optimizer.momentum": 0.5},
        {"optimizer.kind": "adamw", "optimizer.beta1": 0.8},
    )
    other = Study(name="b", design="explicit", arms_listed=lacking, baseline=lacking[0])
    assert [dict(arm.levels) for arm in other.arms] == [dict(levels) for levels in lacking]
    assert {other.baseline_of(arm) for arm in other.arms} == {other.arms[0]}
