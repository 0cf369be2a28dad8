"""Every preset, through the same cases; and the papers' numbers that presets and networks carry."""

import os
import pickle
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from paribus.host.home import home
from paribus.recipe import PRESETS, SGD, Budget, Recipe, RMSProp, Step, WideResNet, preset
from paribus.recipe.paths import leaves

NAMES = ["digits", "fashion_mnist", "cifar10", "cifar100", "imagenet", "synthetic"]


def test_the_presets_are_these() -> None:
    assert list(PRESETS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_reads_its_own_dataset(name: str) -> None:
    assert preset(name).data.name == name


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_goes_through_json_and_pickle_unchanged(name: str) -> None:
    recipe = preset(name)
    assert Recipe.read(recipe.model_dump_json()) == recipe
    assert Recipe.read(recipe.model_dump_json(indent=2).encode()) == recipe
    assert pickle.loads(pickle.dumps(recipe)) == recipe
    assert hash(Recipe.read(recipe.model_dump_json())) == hash(recipe)


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_is_frozen_to_its_leaves(name: str) -> None:
    recipe = preset(name)
    for field, part in recipe:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(recipe, field, part)
        if isinstance(part, (str, tuple)):
            continue
        assert isinstance(part, BaseModel)
        for inner, value in part:
            with pytest.raises(ValidationError, match="frozen"):
                setattr(part, inner, value)
            assert not isinstance(value, (list, dict, set)), f"{field}.{inner} can be changed in place"


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_a_preset_can_be_set_to_its_own_value(name: str) -> None:
    recipe = preset(name)
    assert recipe.replace(dict(leaves(recipe.model_dump()))) == recipe


def test_cifar_trains_as_wide_resnets_section_3_says() -> None:
    recipe = preset("cifar10")
    assert recipe.model.name == "WRN-28-10"
    assert recipe.optimizer == SGD(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    assert recipe.schedule == Step(milestones=(0.3, 0.6, 0.8), factor=0.2)
    assert (recipe.budget, recipe.data.batch_size) == (Budget(amount=200.0), 128)
    assert (recipe.augment.crop, recipe.augment.pad, recipe.augment.flip) == ("pad", 4, True)
    assert preset("cifar100") == recipe.replace({"data.name": "cifar100"})


def test_rmsprop_defaults_are_the_inception_papers() -> None:
    assert (RMSProp().decay, RMSProp().epsilon, RMSProp().momentum, RMSProp().lr) == (0.9, 1.0, 0.0, 0.045)


@pytest.mark.parametrize(
    ("fields", "name", "units"),
    [
        ({"depth": 16, "width": 2.0}, "WRN-16-2", (2, 2, 2)),
        ({"depth": 40, "width": 1.5}, "WRN-40-1.5", (6, 6, 6)),
        ({"depth": 28, "width": 10.0, "block": (3, 1, 3)}, "WRN-28-10-B(3,1,3)", (4, 4, 4)),
        ({"depth": 10, "block": (3,)}, "WRN-10-1-B(3)", (1, 1, 1)),
        ({"depth": 18, "stem": "imagenet"}, "WRN-18-1", (2, 2, 2, 2)),
        ({"depth": 34, "stem": "imagenet", "width": 1.5}, "WRN-34-1.5", (3, 4, 6, 3)),
        ({"depth": 50, "stem": "imagenet", "block": "bottleneck", "width": 2.0}, "WRN-50-2-bottleneck", (3, 4, 6, 3)),
        ({"depth": 101, "stem": "imagenet", "block": "bottleneck"}, "WRN-101-1-bottleneck", (3, 4, 23, 3)),
        ({"depth": 152, "stem": "imagenet", "block": "bottleneck"}, "WRN-152-1-bottleneck", (3, 8, 36, 3)),
    ],
)
def test_names_and_units_per_stage(fields: dict, name: str, units: tuple[int, ...]) -> None:
    model = WideResNet(**fields)
    assert model.name == name
    assert model.num_units == units


# Wide ResNets, Table 2 (B(1,3,1) to B(3,1,3)) and Table 3 (one to four convolutions).
@pytest.mark.parametrize("block", [(1, 3, 1), (3, 1), (1, 3), (3, 1, 1), (3, 3), (3, 1, 3), (3,), (3, 3, 3), (3,) * 4])
def test_every_block_of_the_papers_tables_is_a_block(block: tuple[int, ...]) -> None:
    text = ",".join(map(str, block))
    recipe = preset("cifar10").replace({"model.depth": 40, "model.block": block})
    assert recipe.model.block == block
    assert Recipe.read(recipe.model_dump_json()) == recipe
    for written in (list(block), f"B({text})", f"({text})", text):
        assert preset("cifar10").replace({"model.depth": 40, "model.block": written}) == recipe


def test_home_is_the_variable_then_the_checkout_then_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "clone"
    (checkout / "platform" / "paribus").mkdir(parents=True)
    (checkout / "studies").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.delenv("PARIBUS_HOME", raising=False)
    monkeypatch.chdir(checkout / "studies")
    assert home() == checkout.resolve() / ".paribus"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert home() == tmp_path / "user" / ".paribus"
    monkeypatch.setenv("PARIBUS_HOME", os.path.join("~", "mine"))
    assert home() == (tmp_path / "user" / "mine").resolve()
