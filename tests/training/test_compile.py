"""A compiled trial is the same trial, masks and own parts included, up to rounding."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from paribus.plugins import stand_beside
from paribus.recipe import Recipe, Seeds
from paribus.training import fit

# In one net, for a compilation takes a minute: masks, and parts of one's own.
CHANGES = {
    "budget": "3 steps",
    "model.dropout": 0.3,
    "model.dropout_placement": "branch",
    "model.stochastic_depth.survival": 0.8,
    "model.activation": "my_parts:Snake",
    "model.norm": "my_parts:RMSNorm",
    "loss": "my_parts:poly_loss",
}


@pytest.fixture(autouse=True)
def _beside() -> Iterator[None]:
    stand_beside(Path(__file__).parents[2] / "studies" / "own")
    yield
    stand_beside()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
@pytest.mark.filterwarnings("default")  # torch's compiler warns about its own inside
def test_compiling_changes_nothing_but_rounding(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    recipe = tiny.replace(CHANGES)
    plain = fit(recipe, seeds, feed)  # type: ignore[arg-type]
    compiled = fit(recipe.replace({"numerics.compile": True}), seeds, feed)  # type: ignore[arg-type]
    np.testing.assert_allclose(plain.curves["loss"], compiled.curves["loss"], rtol=1e-4)
    assert plain.metrics["eval_loss"] == pytest.approx(compiled.metrics["eval_loss"], rel=1e-4)
