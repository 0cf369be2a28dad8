"""A trial that goes on from another one's checkpoint: its own settings from there on, and the other's history."""

from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted import EVERYTHING, assert_same, killed_after

from paribus.recipe import Recipe, Seeds, trial_id
from paribus.training import CheckpointError, Checkpoints, Result, fit
from paribus.training.checkpoints.inherited import differing, form_of, inherit

# The tiny recipe has 15 steps of 5 an epoch.
STEP = 10


@pytest.fixture
def recipe(tiny: Recipe) -> Recipe:
    return tiny.replace(EVERYTHING)


@pytest.fixture
def parent(recipe: Recipe, seeds: Seeds, feed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoints of a trial that was trained two of three epochs."""
    folder = tmp_path / "parent"
    killed_after(monkeypatch, STEP, recipe, seeds, feed, checkpoint=Checkpoints(folder, every_steps=5))
    return folder


def gone_on(recipe: Recipe, seeds: Seeds, feed: Any, parent: Path, folder: Path) -> Result:
    inherit(Checkpoints(folder), parent, STEP, recipe, seeds, feed)
    return fit(recipe, seeds, feed, checkpoint=Checkpoints(folder))


def test_at_the_same_settings_it_is_the_trial_that_it_comes_from_to_the_bit(
    recipe: Recipe, seeds: Seeds, feed: Any, parent: Path, tmp_path: Path
) -> None:
    assert_same(fit(recipe, seeds, feed), gone_on(recipe, seeds, feed, parent, tmp_path / "child"))


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw", "lion", "muon"])
def test_the_optimizer_is_set_as_the_trial_says_and_goes_on_with_what_it_had(
    optimizer: str, recipe: Recipe, seeds: Seeds, feed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = {"optimizer.decay_norms_and_biases": False, "optimizer.weight_decay": 1e-4}
    before = recipe.replace({"optimizer.kind": optimizer}).replace(split)
    folder, mine = tmp_path / "parent", tmp_path / "child"
    killed_after(monkeypatch, STEP, before, seeds, feed, checkpoint=Checkpoints(folder, every_steps=5))
    after, own = before.replace({"optimizer.weight_decay": 0.5}), seeds.model_copy(update={"order": 7})
    inherit(Checkpoints(mine), folder, STEP, after, own, feed)
    theirs, state = Checkpoints(folder).load(), Checkpoints(mine).load()
    assert theirs is not None
    assert state is not None
    assert state["trial"] == trial_id(after, own, feed.digest) != theirs["trial"]
    decays = [group.get("weight_decay") for group in state["learner"]["optimizer"]["param_groups"]]
    assert decays == [0.5, 0.0], "of the parent they were 1e-4 and 0"
    torch.testing.assert_close(state["learner"]["net"], theirs["learner"]["net"], rtol=0, atol=0)
    moments = (state["learner"]["optimizer"]["state"], theirs["learner"]["optimizer"]["state"])
    torch.testing.assert_close(*moments, rtol=0, atol=0)
    assert set(state["progress"]["durations"].values()) == {0.0}, "the parent's seconds are the parent's"
    same = gone_on(before, own, feed, folder, tmp_path / "same")
    changed = fit(after, own, feed, checkpoint=Checkpoints(mine))
    assert {len(curve) for curve in changed.curves.values()} == {15}, "the whole line's"
    assert changed.metrics["eval_loss"] != same.metrics["eval_loss"]


def test_one_that_is_resumed_goes_on_from_its_own_and_a_damaged_one_from_its_parents(
    recipe: Recipe, seeds: Seeds, feed: Any, parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, folder = seeds.model_copy(update={"order": 7}), tmp_path / "child"
    undisturbed = gone_on(recipe, own, feed, parent, tmp_path / "other")
    inherit(Checkpoints(folder), parent, STEP, recipe, own, feed)
    killed_after(monkeypatch, 13, recipe, own, feed, checkpoint=Checkpoints(folder, every_steps=1, keep=1))
    inherit(Checkpoints(folder), parent, STEP, recipe, own, feed)
    assert Checkpoints(folder).newest_step() == 13
    (newest,) = folder.glob("step-*.pt")
    newest.write_bytes(newest.read_bytes()[:-1])
    assert_same(undisturbed, gone_on(recipe, own, feed, parent, folder))


def test_what_cannot_be_gone_on_from_is_told_and_nothing_is_trained_from_its_start(
    recipe: Recipe, seeds: Seeds, feed: Any, parent: Path, tmp_path: Path
) -> None:
    for folder, step, changes, sentence in (
        (tmp_path / "none", STEP, {}, "and there is none: PARIBUS_HOME has to lie on storage that all nodes share"),
        (parent, 5, {}, "a checkpoint of 5 steps in .*, and the newest whole one there has 10"),
        (parent, STEP, {"model.width": 0.25}, "does not fit this trial's settings: net.* instead of"),
        (parent, STEP, {"optimizer.kind": "adamw"}, "does not fit this trial's settings: averaged has another length"),
    ):
        with pytest.raises(CheckpointError, match=sentence):
            inherit(Checkpoints(tmp_path / "child"), folder, step, recipe.replace(changes), seeds, feed)
        assert not Checkpoints(tmp_path / "child").newest_step()


def test_equal_forms_are_those_whose_checkpoints_fit(recipe: Recipe) -> None:
    form = form_of(recipe, 1, 10)
    for path, value in (("optimizer.lr", 0.3), ("optimizer.momentum", 0.5), ("training.ema_decay", 0.5)):
        assert differing(form, form_of(recipe.replace({path: value}), 1, 10)) == "", path
    for path, value, name in (
        ("model.width", 0.25, "is float32"),
        ("optimizer.momentum", 0.0, "the optimizer's state is"),
        ("optimizer.kind", "adamw", "the optimizer is SGD or AdamW"),
        ("optimizer.decay_norms_and_biases", True, "the optimizer's groups is"),
        ("training.ema_decay", None, "the average of the weights is kept or none"),
    ):
        assert name in differing(form, form_of(recipe.replace({path: value}), 1, 10))
