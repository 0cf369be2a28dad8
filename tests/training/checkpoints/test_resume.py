"""An interrupted and resumed trial equals an undisturbed one, bit for bit, wherever it was cut."""

from pathlib import Path

import pytest
from interrupted import EVERYTHING, assert_same, killed_after

from paribus.recipe import Recipe, Seeds
from paribus.training import CheckpointError, Checkpoints, fit


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw"])
@pytest.mark.parametrize("cut", [1, 4, 5, 7, 10, 14])
def test_a_cut_at_any_step_changes_no_bit(
    optimizer: str, cut: int, tiny: Recipe, seeds: Seeds, feed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny.replace({**EVERYTHING, "optimizer.kind": optimizer})
    whole = fit(recipe, seeds, feed)  # type: ignore[arg-type]
    killed_after(monkeypatch, cut, recipe, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))
    resumed = fit(recipe, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))  # type: ignore[arg-type]
    assert_same(whole, resumed)


SMALL = {"optimizer.kind": "rmsprop", "training.ema_decay": 0.9, "training.label_smoothing": 0.1, "budget": "2 epochs"}


@pytest.mark.parametrize(
    "model",
    [
        {"family": "inception_v1", "blocks": (1, 1, 1), "width": 0.1, "norm": "batch", "auxiliary": {"at": ("4a",)}},
        {"family": "inception_v3", "blocks": (1, 1, 1), "width": 0.05, "auxiliary": {"weight": 0.4, "dropout": 0.5}},
        {"family": "resnet", "depth": 8, "width": 0.5, "stochastic_depth": {"survival": 0.5}},
        {
            "family": "resnet",
            "depth": 8,
            "width": 0.5,
            "stochastic_depth": {"survival": 0.7, "rule": "uniform", "mode": "row"},
            "dropout": 0.3,
            "dropout_placement": "shortcut",
        },
    ],
    ids=["auxiliary_head", "auxiliary_head_v3", "stochastic_depth", "stochastic_depth_by_row"],
)
def test_auxiliary_heads_and_skipped_branches_resume_bit_for_bit(
    model: dict[str, object], seeds: Seeds, feed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe().replace({"model": model, **SMALL})
    whole = fit(recipe, seeds, feed)  # type: ignore[arg-type]
    killed_after(monkeypatch, 7, recipe, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))
    resumed = fit(recipe, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))  # type: ignore[arg-type]
    assert_same(whole, resumed)
    assert whole.weights == resumed.weights


def test_epochs_that_were_reported_before_the_cut_are_not_reported_again(
    tiny: Recipe, seeds: Seeds, feed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after(monkeypatch, 12, tiny, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=4))
    reported: list[int] = []
    fit(tiny, seeds, feed, lambda epoch: reported.append(epoch.epoch), Checkpoints(tmp_path))  # type: ignore[arg-type]
    assert reported == [3]  # the newest checkpoint is of step 12, in the third epoch


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before_and_says_so(
    tiny: Recipe, seeds: Seeds, feed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after(monkeypatch, 12, tiny, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=4))
    before, newest = sorted(tmp_path.glob("*.pt"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    resumed = fit(tiny, seeds, feed, checkpoint=Checkpoints(tmp_path))  # type: ignore[arg-type]
    assert_same(fit(tiny, seeds, feed), resumed)  # type: ignore[arg-type]
    assert newest.name in resumed.warnings[0]
    assert "damaged" in resumed.warnings[0]
    assert before.exists()


def test_a_checkpoint_of_another_trial_is_refused(
    tiny: Recipe, seeds: Seeds, feed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_after(monkeypatch, 3, tiny, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))
    with pytest.raises(CheckpointError, match="a folder of its own"):
        fit(tiny, Seeds.draw(0, 1), feed, checkpoint=Checkpoints(tmp_path))  # type: ignore[arg-type]
