"""Trial ids that an earlier release gave: a ledger is found again by these, so they hold for ever."""

import json
from pathlib import Path

from paribus.recipe import Recipe, Seeds, trial_id

PINNED = json.loads((Path(__file__).parents[1] / "golden" / "trial_ids.json").read_text())
PRESETS_THEN = {"digits", "fashion_mnist", "cifar10", "cifar100", "imagenet", "synthetic"}


def test_recipes_have_the_ids_that_the_release_before_gave_them() -> None:
    found = {}
    for row in PINNED:
        recipe = Recipe.read(json.dumps(row["recipe"]))
        found[row["what"]] = trial_id(recipe, Seeds.draw(row["study_seed"], row["replicate"]), "0f" * 32)
    assert found == {row["what"]: row["id"] for row in PINNED}


def test_the_pinned_recipes_are_of_every_family_preset_optimizer_and_schedule() -> None:
    recipes = [row["recipe"] for row in PINNED]
    assert len({row["id"] for row in PINNED}) >= 30
    assert len({each["model"]["family"] for each in recipes}) == 11
    assert {row["what"] for row in PINNED} >= {f"preset {name}" for name in PRESETS_THEN}
    assert {each["optimizer"]["kind"] for each in recipes} >= {"sgd", "rmsprop", "adamw"}
    assert {each["schedule"]["kind"] for each in recipes} >= {"step", "exponential", "cosine", "one_cycle"}
    assert {each["augment"]["crop"] for each in recipes} >= {"none", "pad", "random_resized"}
    assert {row["replicate"] for row in PINNED} >= {1, 2, 5, 10}
