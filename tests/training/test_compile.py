"""A compiled trial is the same trial, masks included, up to rounding."""

import shutil

import numpy as np
import pytest

from paribus.recipe import Recipe, Seeds
from paribus.training import fit


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on the CPU")
@pytest.mark.filterwarnings("default")  # torch's compiler warns about its own inside
def test_compiling_changes_nothing_but_rounding(feed: object, tiny: Recipe, seeds: Seeds) -> None:
    recipe = tiny.replace(
        {
            "budget": "3 steps",
            "model.dropout": 0.3,
            "model.dropout_placement": "branch",
            "model.stochastic_depth.survival": 0.8,
        }
    )
    plain = fit(recipe, seeds, feed)  # type: ignore[arg-type]
    compiled = fit(recipe.replace({"numerics.compile": True}), seeds, feed)  # type: ignore[arg-type]
    np.testing.assert_allclose(plain.curves["loss"], compiled.curves["loss"], rtol=1e-4)
    assert plain.metrics["eval_loss"] == pytest.approx(compiled.metrics["eval_loss"], rel=1e-4)
