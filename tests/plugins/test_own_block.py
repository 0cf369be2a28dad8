"""Blocks of one's own: the branch of every residual unit, with the family's norms, shortcuts and scale around it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from paribus.engine.code_digest import trial_code
from paribus.models.build import build
from paribus.plugins import stand_beside
from paribus.recipe import Recipe, RecipeError, Seeds, trial_id
from paribus.study import Study

EXAMPLES = Path(__file__).parents[2] / "studies" / "own"
SEPARABLE = "my_parts:Separable"
BASES = {
    "wide_resnet": Recipe(),
    "imagenet": Recipe().replace({"model": "WRN-18-1-imagenet"}),
    "resnet": Recipe().replace({"model": "ResNet-20"}),
    "preactivation": Recipe().replace({"model": "ResNet-20", "model.order": "preactivation"}),
}


@pytest.fixture(autouse=True)
def _beside() -> Iterator[None]:
    stand_beside(EXAMPLES)
    yield
    stand_beside()


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_every_unit_has_the_block_and_all_else_is_the_familys(base: Recipe) -> None:
    recipe = base.replace({"model.block": f"{SEPARABLE}(expand=2)"})
    usual, net = build(base.model, 3, 10, 5), build(recipe.model, 3, 10, 5)
    blocks = [module for module in net.modules() if type(module).__name__ == "Separable"]
    assert len(blocks) == sum(recipe.model.num_units)  # type: ignore[union-attr]
    assert all(block[0].out_channels == 2 * block[0].in_channels for block in blocks)  # type: ignore[index,operator]
    mine, theirs = net.state_dict(), usual.state_dict()
    shared = [
        name for name in mine if name in theirs and ".convs." not in name and not name.endswith("num_batches_tracked")
    ]
    assert "conv1.weight" in shared
    assert len(shared) > 8
    assert all(torch.equal(mine[name], theirs[name]) for name in shared)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    net.train()(images).square().mean().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_the_scale_of_residuals_reaches_it() -> None:
    small, large = (
        build(Recipe().replace({"model.block": SEPARABLE, "model.residual_scale": scale}).model, 3, 10, 5).eval()
        for scale in (0.1, 1.0)
    )
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(small(images), large(images))


def test_a_block_of_ones_own_is_a_level_beside_ours_and_has_its_own_identity(tmp_path: Path) -> None:
    study = Study(name="b", factors={"model.block": ((3, 3), SEPARABLE, f"{SEPARABLE}(expand=2)")})
    assert [arm.name for arm in study.baselines] == ["block=(3,3)"]
    recipes = [study.recipe_of(arm) for arm in study.arms]
    assert [Recipe.read(recipe.model_dump_json()) for recipe in recipes] == recipes
    assert len({trial_id(recipe, Seeds.draw(0, 1), "d") for recipe in recipes}) == 3
    assert recipes[1].replace({"model.block.expand": 2}) == recipes[2]
    assert recipes[2].replace({"model.block": (3, 3)}) == recipes[0]
    text = (EXAMPLES / "my_parts.py").read_text()
    codes = []
    for changed in (text, f"{text}\n# a comment", text.replace("in_channels * expand", "in_channels * expand * 2")):
        (tmp_path / "my_parts.py").write_text(changed)
        stand_beside(tmp_path)
        codes.append([trial_code(recipe) for recipe in recipes])
    assert codes[0] == codes[1]
    assert [one == other for one, other in zip(codes[1], codes[2], strict=True)] == [True, False, False]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model.block": "my_parts:Seperable"}, "did you mean 'Separable'?"),
        ({"model.block": f"{SEPARABLE}(stride=2)"}, "takes no argument 'stride': allowed: expand"),
        ({"model.block": SEPARABLE, "model.se.place": "inside"}, "lies within blocks of ours"),
        ({"model.block": SEPARABLE, "model.depth": 17}, "is not 6N + 4"),
        ({"model.block": SEPARABLE, "model.depth": 50, "model.stem": "imagenet"}, "allowed are 18 and 34"),
        ({"model": "ResNet-20", "model.block": SEPARABLE, "model.depth": 21}, "depth 21"),
        ({"model": "ResNeXt-50-32x4d", "model.block": SEPARABLE}, "block"),
        ({"model.block": "nope"}, "should be kernel sizes such as"),
    ],
)
def test_what_fits_no_net_is_refused_with_a_sentence(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError) as refusal:
        Recipe().replace(changes)
    assert told in str(refusal.value)
