"""A checkpoint whose bytes are those of its digest, and whose content is none of this trial's states."""

import io
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from interrupted import EVERYTHING, assert_same, killed_after

from paribus.recipe import Recipe, Seeds
from paribus.training import Checkpoints, Result, fit
from paribus.training.checkpoints.weights import decode_weights
from paribus.training.errors import TrainingError

Change = Callable[[dict[str, Any]], object]


def setter(*path: Any, value: Any) -> Change:
    def change(state: dict[str, Any]) -> object:
        inner: Any = state
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        return state

    return change


def dropper(*path: Any) -> Change:
    def change(state: dict[str, Any]) -> object:
        inner: Any = state
        for name in path[:-1]:
            inner = inner[name]
        del inner[path[-1]]
        return state

    return change


def first_weight(value: Callable[[torch.Tensor], Any]) -> Change:
    def change(state: dict[str, Any]) -> object:
        net = state["learner"]["net"]
        name = next(iter(net))
        net[name] = value(net[name])
        return state

    return change


CHANGES: dict[str, Change] = {
    "a list": lambda state: [state],
    "nothing": lambda state: None,
    "a tensor": lambda state: torch.zeros(3),
    "no trial": dropper("trial"),
    "a number as its trial": setter("trial", value=3),
    "no learner": dropper("learner"),
    "a list as its learner": setter("learner", value=[]),
    "no net": dropper("learner", "net"),
    "a weight of another shape": first_weight(lambda tensor: tensor[:1]),
    "a weight of another type": first_weight(lambda tensor: tensor.double()),
    "a weight that is text": first_weight(lambda tensor: "text"),
    "no momentum": setter("learner", "optimizer", "state", value={}),
    "momentum of one group": dropper("learner", "optimizer", "state", 1),
    "momentum that is None": setter("learner", "optimizer", "state", 0, "momentum_buffer", value=None),
    "momentum of another shape": setter("learner", "optimizer", "state", 0, "momentum_buffer", value=torch.zeros(2)),
    "no groups": setter("learner", "optimizer", "param_groups", value=[]),
    "an optimizer that is None": setter("learner", "optimizer", value=None),
    "no average": setter("learner", "averaged", value=[]),
    "no progress": setter("progress", value={}),
    "a step that is text": setter("progress", "step", value="7"),
    "a step of another epoch": setter("progress", "step", value=2),
    "a step past the end": setter("progress", "step", value=10**9),
    "an epoch past the end": setter("progress", "epochs_done", value=3),
    "an epoch before the start": setter("progress", "epochs_done", value=-1),
    "hashes of other epochs": setter("progress", "stream_hashes", value=[]),
    "a hash that is none": setter("progress", "stream_hash", value="x"),
    "curves that are short": setter("progress", "curves", "loss", value=torch.zeros(3, dtype=torch.float64)),
    "curves that are lists": setter("progress", "curves", "loss", value=[1.0] * 7),
    "an outcome": setter("progress", "outcome", value="diverged"),
    "another name": setter("progress", "luck", value=1),
    "a metric that is text": setter("progress", "metrics", value={"top1": "high"}),
    "seconds that are text": setter("progress", "durations", "train_s", value="1"),
}


@pytest.fixture(scope="module")
def whole(feed: object) -> tuple[Recipe, Seeds, Result]:
    torch.set_num_threads(1)
    recipe = Recipe().replace({"model.depth": 10, "model.width": 0.5, "budget": "3 epochs", **EVERYTHING})
    return recipe, Seeds.draw(0, 0), fit(recipe, Seeds.draw(0, 0), feed)  # type: ignore[arg-type]


def rewrite(path: Path, change: Change) -> Path:
    """The checkpoint with a changed content, under the name that its digest asks for."""
    content = io.BytesIO()
    torch.save(change(torch.load(path, weights_only=True)), content)
    digest = sha256(content.getvalue()).hexdigest()[:16]
    path.unlink()
    renamed = path.with_name(f"{path.stem.rpartition('-')[0]}-{digest}.pt")
    renamed.write_bytes(content.getvalue())
    return renamed


@pytest.fixture(scope="module")
def cut(whole: tuple[Recipe, Seeds, Result], feed: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoints of a trial that was killed after 7 of its 15 steps: those of steps 6 and 7."""
    folder = tmp_path_factory.mktemp("cut")
    with pytest.MonkeyPatch.context() as patch:
        killed_after(patch, 7, whole[0], whole[1], feed, checkpoint=Checkpoints(folder, every_steps=1))
    return folder


CASES = [*((name, 1) for name in CHANGES), ("a list", 2)]


@pytest.mark.parametrize(("name", "damaged"), CASES)
def test_it_is_passed_over_with_a_sentence_and_the_trial_ends_as_ever(
    name: str, damaged: int, whole: tuple[Recipe, Seeds, Result], cut: Path, feed: object, tmp_path: Path
) -> None:
    for path in sorted(cut.iterdir(), reverse=True):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    renamed = [rewrite(path, CHANGES[name]) for path in sorted(tmp_path.iterdir(), reverse=True)[:damaged]]
    result = fit(*whole[:2], feed, checkpoint=Checkpoints(tmp_path, every_steps=100))  # type: ignore[arg-type]
    assert [path.name in warning for path, warning in zip(renamed, result.warnings, strict=True)] == [True] * damaged
    assert_same(result, whole[2])


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw", "plain"])
def test_a_sound_one_is_gone_on_from_whatever_the_optimizer(
    optimizer: str, tiny: Recipe, seeds: Seeds, feed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = {"optimizer.momentum": 0.0} if optimizer == "plain" else {"optimizer.kind": optimizer}
    recipe = tiny.replace(kind)
    killed_after(monkeypatch, 7, recipe, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))
    checkpoints, steps = Checkpoints(tmp_path, every_steps=100), []
    result = fit(recipe, seeds, feed, report=lambda epoch: steps.append(epoch.step), checkpoint=checkpoints)  # type: ignore[arg-type]
    assert (result.warnings, steps) == ((), [10, 15])


def test_what_is_no_plain_file_is_no_checkpoint_and_is_never_waited_for(
    tiny: Recipe, seeds: Seeds, feed: object, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / f"step-{9:012d}-{'a' * 16}.pt")
    (tmp_path / f"step-{8:012d}-{'a' * 16}.pt").mkdir()
    (tmp_path / "step-later-x.pt").write_text("of somebody else")
    checkpoints = Checkpoints(tmp_path, every_steps=1)
    assert checkpoints.newest_step() == 0
    assert checkpoints.load() is None
    assert fit(tiny, seeds, feed, checkpoint=checkpoints).outcome == "finished"  # type: ignore[arg-type]
    checkpoints.clear()
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("document", [{"format": 1}, {"format": 1, "net": [1]}, {"format": 1, "net": {"a": 1}}, [1], 7])
def test_weights_with_another_content_are_a_sentence(document: object) -> None:
    content = io.BytesIO()
    torch.save(document, content)
    with pytest.raises(TrainingError, match="no weights of a trial"):
        decode_weights(content.getvalue())
