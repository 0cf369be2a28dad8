"""What users bring, and what came with it, keeps resumption: a cut trial equals an undisturbed one, bit for bit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from interrupted import assert_same, killed_after

from paribus.plugins import stand_beside
from paribus.recipe import Recipe, Seeds
from paribus.training import Checkpoints, fit

EXAMPLES = Path(__file__).parents[2] / "studies" / "own"

OWN = {
    "model.activation": "my_parts:Snake(alpha=0.5)",
    "model.norm": "my_parts:RMSNorm",
    "loss": "my_parts:poly_loss",
    "schedule.kind": "my_parts:poly_rate",
    "augment.mix": "my_parts:pairwise",
}
CASES: dict[str, dict[str, Any]] = {
    "own": OWN | {"optimizer.kind": "my_parts:SignSGD"},
    "net": {"model": "my_net:TinyNet", "optimizer.kind": "torch:NAdam", "optimizer.decay_norms_and_biases": False},
    "muon": {"optimizer.kind": "muon", "loss": "focal", "augment.mix": "cutmix", "model.norm": "group"},
    "lion": {"optimizer.kind": "lion", "loss": "bce", "augment.mix": "mixup", "training.label_smoothing": 0.1},
}


@pytest.fixture(autouse=True)
def _beside() -> Iterator[None]:
    stand_beside(EXAMPLES)
    yield
    stand_beside()


@pytest.mark.parametrize("case", CASES)
def test_a_cut_changes_no_bit(
    case: str, tiny: Recipe, seeds: Seeds, feed: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny.replace(CASES[case])
    whole = fit(recipe, seeds, feed)  # type: ignore[arg-type]
    killed_after(monkeypatch, 7, recipe, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))
    resumed = fit(recipe, seeds, feed, checkpoint=Checkpoints(tmp_path, every_steps=1))  # type: ignore[arg-type]
    assert_same(whole, resumed)
    assert whole.weights == resumed.weights
