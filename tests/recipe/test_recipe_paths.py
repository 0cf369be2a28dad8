"""Paths into recipes, `--set`, and what `replace` does with them."""

import pytest

from paribus.recipe import (
    SGD,
    AdamW,
    Budget,
    Cosine,
    Data,
    Recipe,
    RecipeError,
    ResNet,
    RMSProp,
    Step,
    WideResNet,
    preset,
)
from paribus.recipe.families.family import SqueezeExcite
from paribus.recipe.paths import is_discriminator, leaves, parse_assignment

BASE = preset("digits")

ASSIGNMENTS = [
    ("model.depth=28", 28),
    ("model.depth= 28 ", 28),
    (" model.depth =28", 28),
    ("optimizer.lr=1e-3", 0.001),
    ("optimizer.lr=-1", -1),
    ("model.block=(3,1,3)", (3, 1, 3)),
    ("model.block=3,1,3", (3, 1, 3)),
    ("model.block=[3, 1, 3]", [3, 1, 3]),
    ("model.block=B(3,1,3)", "B(3,1,3)"),
    ("augment.flip=true", True),
    ("augment.flip=True", True),
    ("augment.flip=false", False),
    ("data.size=null", None),
    ("data.size=None", None),
    ("model.dropout_placement=none", "none"),
    ("model.norm=none", "none"),
    ("budget=100 steps", "100 steps"),
    ("budget=6", 6),
    ("data.name='digits'", "digits"),
    ("data.name=digits", "digits"),
    ("data.shards=https://host/x?a=b&c=d", "https://host/x?a=b&c=d"),
    ("data.shards=", ""),
    ("data.name=__import__('os')", "__import__('os')"),
    ("data.name={[1]: 2}", "{[1]: 2}"),
    ("data.name=" + "(" * 500, "(" * 500),
    ("data.name=" + "-" * 100_000 + "1", "-" * 100_000 + "1"),
]


@pytest.mark.parametrize(("text", "value"), ASSIGNMENTS, ids=[text[:40] for text, _ in ASSIGNMENTS])
def test_an_assignment_reads_as_people_write_it(text: str, value: object) -> None:
    path, read = parse_assignment(text)
    assert path == text.partition("=")[0].strip()
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", ["model.depth", "", "=3", " =3", "model.depth 28"])
def test_an_assignment_without_a_path_or_an_equals_sign_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match=r"write PATH=VALUE, such as model\.depth=28"):
        parse_assignment(text)


@pytest.mark.parametrize(
    ("texts", "path", "value"),
    [
        (["model.block=3,1,3"], "model.block", (3, 1, 3)),
        (["model.block=B(3,1)"], "model.block", (3, 1)),
        (["model.block=(3,)"], "model.block", (3,)),
        (["augment.flip=true"], "augment.flip", True),
        (["data.size=32"], "data.size", 32),
        (["training.ema_decay=null"], "training.ema_decay", None),
        (["budget=100 steps"], "budget", {"amount": 100.0, "unit": "steps"}),
        (["budget=2.5 epochs"], "budget", {"amount": 2.5, "unit": "epochs"}),
        (["budget=1e6 examples"], "budget", {"amount": 1e6, "unit": "examples"}),
        (["budget=6"], "budget", {"amount": 6.0, "unit": "epochs"}),
        (["model.width=2"], "model.width", 2.0),
    ],
)
def test_what_set_says_is_what_the_recipe_has(texts: list[str], path: str, value: object) -> None:
    tree = BASE.replace(dict(map(parse_assignment, texts))).model_dump()
    for step in path.split("."):
        tree = tree[step]
    assert tree == value


def test_a_new_kind_starts_from_its_own_defaults_in_any_order() -> None:
    changes = {"optimizer.epsilon": 0.5, "optimizer.kind": "rmsprop", "optimizer.decay": 0.8}
    for order in (changes, dict(reversed(changes.items()))):
        assert BASE.replace(order).optimizer == RMSProp(epsilon=0.5, decay=0.8)
    assert BASE.replace({"optimizer.kind": "adamw"}).optimizer == AdamW()
    assert BASE.replace({"schedule.kind": "step", "schedule.milestones": (0.5,)}).schedule == Step(milestones=(0.5,))


def test_the_same_kind_keeps_its_fields() -> None:
    tuned = BASE.replace({"optimizer.lr": 0.3, "optimizer.kind": "sgd"})
    assert tuned.optimizer == SGD(lr=0.3)
    assert tuned.replace({"optimizer.kind": "sgd"}) == tuned


def test_changes_of_a_part_hold_whatever_the_order() -> None:
    for changes in (
        {"optimizer": AdamW(), "optimizer.lr": 0.3},
        {"optimizer.lr": 0.3, "optimizer": AdamW()},
    ):
        assert BASE.replace(changes).optimizer == AdamW(lr=0.3)
    assert BASE.replace({"budget.amount": 3, "budget": "100 steps"}).budget == Budget(amount=3.0, unit="steps")


def test_a_dictionary_sets_a_part_with_its_defaults() -> None:
    assert BASE.replace({"model": {"family": "wide_resnet", "depth": 40}}).model == WideResNet(depth=40)
    assert BASE.replace({"schedule": {"kind": "cosine"}}).schedule == Cosine()


@pytest.mark.parametrize("path", [path for path, _ in leaves(BASE.model_dump())])
def test_every_field_can_be_set_to_its_own_value(path: str) -> None:
    assert BASE.replace({path: dict(leaves(BASE.model_dump()))[path]}) == BASE


def test_a_recipe_is_left_as_it_was_by_replace() -> None:
    before = BASE.model_dump_json()
    assert BASE.replace({"model.depth": 40}).model.depth == 40
    assert BASE.replace({}) == BASE
    assert BASE.model_dump_json() == before


@pytest.mark.parametrize(
    ("path", "expected"),
    [("optimizer.kind", True), ("schedule.kind", True), ("model.family", True), ("model.depth", False), ("", False)],
)
def test_kinds_are_told_from_other_fields(path: str, expected: bool) -> None:
    assert is_discriminator(path) is expected


def test_a_name_stands_for_a_published_net_which_further_paths_change() -> None:
    recipe = BASE.replace({"model.width": 0.25, "model": "ResNet-50"})
    assert recipe.model == ResNet(depth=50, stem="imagenet", block="bottleneck", width=0.25)
    with pytest.raises(
        RecipeError, match=r"no network 'ResNet-51': the nearest are .*ResNet-50, .*; `paribus models list` prints all"
    ):
        BASE.replace({"model": "ResNet-51"})


@pytest.mark.parametrize(
    ("changes", "name", "size"),
    [
        ({"model": "Inception-v4", "data.size": 299}, "Inception-v4", 299),
        ({"data.size": 299, "model": "Inception-v4"}, "Inception-v4", 299),
        ({"model": "Inception-v4", "model.stem": "small"}, "Inception-v4", 8),
        ({"model.width": 0.5, "data.size": 75, "model": "Inception-v4"}, "Inception-v4-x0.5", 75),
        ({"model.depth": 29, "model": "ResNet-50", "model.family": "resnext"}, "ResNeXt-29-32x4d", 8),
    ],
    ids=str,
)
def test_what_is_changed_together_must_fit_only_together(changes: dict[str, object], name: str, size: int) -> None:
    recipe = BASE.replace({"data.size": 8}).replace(changes)
    assert (recipe.model.name, recipe.data.size) == (name, size)
    with pytest.raises(RecipeError, match="8 pixels is too small for Inception-v4: its minimum is 75"):
        recipe.replace({"model": "Inception-v4", "data.size": 8})


def test_a_part_comes_before_what_is_set_in_it_in_any_order() -> None:
    for changes in (
        {"model.se": {"place": "standard"}, "model.se.reduction": 4},
        {"model.se.reduction": 4, "model.se": {"place": "standard"}},
        {"model.se.reduction": 4, "model.se": {"place": "standard"}, "model": {"family": "wide_resnet"}},
    ):
        assert BASE.replace(changes).model == WideResNet(se=SqueezeExcite(place="standard", reduction=4))


def test_a_new_family_starts_from_its_own_defaults() -> None:
    assert BASE.replace({"model.family": "resnet", "model.depth": 32}).model == ResNet(depth=32)


def test_a_renamed_field_is_read_under_its_old_name_and_written_under_its_new_one() -> None:
    old, new = BASE.replace({"data.resident": "never"}), BASE.replace({"data.cache": "never"})
    assert old == new
    document = new.model_dump_json()
    assert '"cache":"never"' in document
    assert Recipe.read(document.replace('"cache":"never"', '"resident":"never"')) == new
    assert Data(resident="never").cache == "never"  # type: ignore[call-arg]
