"""A trial's name for ever: every field that can change a result changes it, and nothing else does."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from paribus.recipe import PRESETS, Recipe, Seeds, canonical_json, preset, trial_id
from paribus.recipe.families.family import Family
from paribus.recipe.identity import result_bearing
from paribus.recipe.model import FAMILIES, published
from paribus.recipe.part import is_bookkeeping
from paribus.recipe.paths import leaves

BASE = Recipe()
SEEDS = Seeds.draw(0, 1)

GOLDEN = {
    "defaults": "965726233ec86a16a4c570e889b2222d040c19132a3180ff8eec53a90c93d501",
    "all else": "c4d7af6b69b8611742b534cc030a78ac43aa7a024de4dd0c6f25b798066ff27a",
    "rmsprop": "23ecdafc9877347439b4cb87046104888d322d39b13363e0ed023a7bf53bf145",
}

BOOKKEEPING = {
    "data.shards": "elsewhere/digits",
    "data.eval_batch_size": 100,
    "data.cache": "never",
    "data.sharing": "never",
    "evaluation.keep_weights": False,
    "resources.cpus": 2.0,
    "resources.gpus": 0.5,
    "resources.ranks": 2,
}

# Another allowed value for every field that bears on the result. A new field without a line here fails below.
COMMON = {
    "model.depth": 22,
    "model.width": 2.0,
    "model.block": (3, 1, 3),
    "model.dropout": 0.1,
    "model.dropout_placement": "branch",
    "model.residual_scale": 0.3,
    "model.shortcut_scale": 0.5,
    "model.norm": "none",
    "model.stochastic_depth.survival": 0.5,
    "model.stochastic_depth.rule": "uniform",
    "model.stochastic_depth.mode": "row",
    "model.se.place": "standard",
    "model.se.reduction": 8,
    "model.se.squeeze": "max",
    "model.se.gate": "tanh",
    "model.se.bias": False,
    "model.se.stages": (1, 3),
    "data.name": "fashion_mnist",
    "data.size": 16,
    "data.train_split": "half",
    "data.eval_split": "val",
    "data.train_fraction": 0.5,
    "data.batch_size": 32,
    "data.shuffle_shards": 16,
    "data.decoding": "exact",
    "data.max_undecodable": 0.0,
    "augment.crop": "pad",
    "augment.pad": 2,
    "augment.min_area": 0.5,
    "augment.flip": True,
    "augment.cutout": 2,
    "augment.normalise": False,
    "budget.amount": 7.0,
    "budget.unit": "steps",
    "training.label_smoothing": 0.1,
    "training.ema_decay": 0.99,
    "training.clip_norm": 2.0,
    "training.divergence_loss": 50.0,
    "evaluation.every_epochs": 2,
    "numerics.precision": "bfloat16",
    "numerics.channels_last": True,
    "numerics.compile": True,
    "optimizer.lr": 0.2,
    "optimizer.weight_decay": 0.001,
    "optimizer.decay_norms_and_biases": False,
    "schedule.warmup_epochs": 1.0,
    "schedule.warmup_lr": 1e-4,
}
# Fields that came after the first release, which "all else" below knows nothing of.
ADDED = {
    "metrics": ("my_parts:macro_f1",),
    "model.activation": "gelu",
    "model.se.module": "eca(kernel=5)",
    "loss": "bce",
    "augment.policy": "rand_augment",
    "augment.colour": "colour_jitter(hue=0.1)",
    "augment.erasing": "random_erasing",
    "augment.mix": "mixup",
    "data.stages": ("my_data:clean",),
    "data.holdout": 0.25,
    "numerics.deterministic": False,
}
OF_KIND = {
    "optimizer": {
        "sgd": {"momentum": 0.8, "nesterov": False},
        "rmsprop": {"decay": 0.8, "momentum": 0.5, "epsilon": 0.1},
        "adamw": {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6},
        "lion": {"beta1": 0.8, "beta2": 0.9},
        "muon": {"momentum": 0.8, "nesterov": False, "iterations": 4, "beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6},
    },
    "schedule": {
        "step": {"milestones": (0.5,), "factor": 0.1},
        "exponential": {"factor": 0.5, "every_epochs": 1.0},
        "cosine": {"final_fraction": 0.1},
        "one_cycle": {"peak": 0.5, "initial_fraction": 0.1, "final_fraction": 0.1},
    },
}
RMSPROP = {"optimizer.kind": "rmsprop", "schedule.kind": "exponential", "model.block": (3, 1, 3)}
# A stem needs a depth of its own; families are compared as wholes below.
TOLD_APART = {"model.stem", "model.family", "optimizer.kind", "schedule.kind"}


def _cases() -> Iterator[tuple[Recipe, str, object]]:
    for path, value in (COMMON | ADDED).items():
        yield BASE, path, value
    for part, kinds in OF_KIND.items():
        for kind, fields in kinds.items():
            base = BASE.replace({f"{part}.kind": kind})
            for field, value in fields.items():
                yield base, f"{part}.{field}", value


CASES = list(_cases())


def _bookkeeping(part: BaseModel, prefix: str = "") -> Iterator[str]:
    for name, value in part:
        if isinstance(value, BaseModel):
            yield from _bookkeeping(value, f"{prefix}{name}.")
        elif is_bookkeeping(type(part), name):
            yield f"{prefix}{name}"


@pytest.mark.parametrize("name", GOLDEN)
def test_identities_are_for_ever(name: str) -> None:
    recipes = {"defaults": Recipe(), "all else": Recipe().replace(COMMON), "rmsprop": Recipe().replace(RMSPROP)}
    assert trial_id(recipes[name], SEEDS, "digest") == GOLDEN[name]


def test_the_fields_without_bearing_on_results_are_these() -> None:
    assert set(_bookkeeping(BASE)) == set(BOOKKEEPING)


@pytest.mark.parametrize("path", BOOKKEEPING)
def test_a_field_without_bearing_leaves_the_identity(path: str) -> None:
    other = BASE.replace({path: BOOKKEEPING[path]})
    assert other != BASE
    assert trial_id(other, SEEDS, "d") == trial_id(BASE, SEEDS, "d")


@pytest.mark.parametrize(("part", "kind"), [(part, kind) for part, kinds in OF_KIND.items() for kind in kinds])
def test_the_table_has_every_field_of_every_kind(part: str, kind: str) -> None:
    fields = {path for path, _ in leaves(BASE.replace({f"{part}.kind": kind}).model_dump()) if path.startswith(part)}
    shared = {path for path in {*COMMON, *TOLD_APART} if path.startswith(part)}
    assert fields == shared | {f"{part}.{field}" for field in OF_KIND[part][kind]}


def test_the_table_has_every_field_of_every_other_part() -> None:
    listed = {*COMMON, *ADDED, *TOLD_APART, *BOOKKEEPING}
    assert {path for path in listed if path.partition(".")[0] not in OF_KIND} == {
        path for path, _ in leaves(BASE.model_dump()) if path.partition(".")[0] not in OF_KIND
    }


@pytest.mark.parametrize(
    ("base", "path", "value"), CASES, ids=[f"{b.optimizer.kind}-{b.schedule.kind}-{p}" for b, p, _ in CASES]
)
def test_every_other_field_changes_the_identity(base: Recipe, path: str, value: object) -> None:
    other = base.replace({path: value})
    assert path in ADDED or dict(leaves(other.model_dump()))[path] == value
    assert trial_id(other, SEEDS, "d") != trial_id(base, SEEDS, "d")


def test_all_these_identities_differ_from_one_another() -> None:
    recipes = [base.replace({path: value}) for base, path, value in CASES]
    recipes += [BASE.replace({f"{part}.kind": kind}) for part, kinds in OF_KIND.items() for kind in kinds][1:]
    recipes += [BASE.replace({"model.stem": "imagenet", "model.depth": 18})]
    names = [trial_id(recipe, SEEDS, "d") for recipe in recipes]
    assert len(set(names)) == len({recipe.model_dump_json() for recipe in recipes}) >= len(COMMON) + 16


def test_seeds_and_data_change_the_identity() -> None:
    names = {trial_id(BASE, Seeds.draw(study, replicate), "d") for study in range(3) for replicate in range(1, 4)}
    names |= {trial_id(BASE, SEEDS.model_copy(update={name: 0}), "d") for name in Seeds.model_fields}
    names |= {trial_id(BASE, SEEDS, digest) for digest in ("", "e", "D")}
    assert len(names) == 9 + 4 + 3


@pytest.mark.parametrize(
    ("path", "whole", "fractional"),
    [("model.width", 2, 2.0), ("optimizer.lr", 1, 1.0), ("budget.amount", 3, 3.0), ("training.clip_norm", 2, 2.0)],
)
def test_a_whole_number_for_a_float_is_the_same_trial(path: str, whole: int, fractional: float) -> None:
    first, second = BASE.replace({path: whole}), BASE.replace({path: fractional})
    assert first == second
    assert trial_id(first, SEEDS, "d") == trial_id(second, SEEDS, "d")


@pytest.mark.parametrize("name", PRESETS)
def test_an_identity_outlives_a_document(name: str) -> None:
    recipe = preset(name)
    assert trial_id(Recipe.read(recipe.model_dump_json()), SEEDS, "d") == trial_id(recipe, SEEDS, "d")


def test_an_identity_is_the_same_in_another_process_with_another_hash_seed() -> None:
    code = "from paribus.recipe import Recipe, Seeds, trial_id; print(trial_id(Recipe(), Seeds.draw(0, 1), 'digest'))"
    printed = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert printed == {GOLDEN["defaults"]}


def test_canonical_json_is_one_text_per_value() -> None:
    assert canonical_json({"b": (1, 2.0), "a": {"d": None, "c": True}}) == '{"a":{"c":true,"d":null},"b":[1,2.0]}'
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1})
    assert canonical_json("é") == '"\\u00e9"'
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))


@pytest.mark.parametrize("name", PRESETS)
def test_the_result_bearing_fields_are_the_recipe_without_bookkeeping(name: str) -> None:
    recipe = preset(name)
    kept = {path for path, _ in leaves(result_bearing(recipe))}
    assert kept == {path for path, _ in leaves(recipe.model_dump())} - set(BOOKKEEPING) - set(ADDED)
    assert json.loads(canonical_json(result_bearing(recipe)))["model"]["depth"] == recipe.model.depth


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_field_of_a_family_bears_on_the_result(family: type[Family]) -> None:
    model = next(iter(family.published().values())).model
    fields = {path for path, _ in leaves(result_bearing(model))}
    assert fields == {path for path, _ in leaves(model.model_dump())} - {"activation", "se.module"}


def test_no_two_published_nets_that_differ_share_an_identity() -> None:
    recipes = [BASE.replace({"model": name}) for name in published()]
    names = {trial_id(recipe, SEEDS, "d") for recipe in recipes}
    assert len(names) == len({recipe.model_dump_json() for recipe in recipes}) > 60
