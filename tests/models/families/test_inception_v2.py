"""BN-Inception against pytorchcv and its figure 5, squeeze-and-excitation on its modules, and its own factors."""

import equality
import pytest
import references
import torch
from torch import nn
from torch.nn import functional as F

from paribus.models.build import build, outline
from paribus.models.complexity import count, stages
from paribus.models.families.inception_blocks import PoolBeside
from paribus.recipe import InceptionV2, Recipe, RecipeError
from paribus.recipe.model import by_name

PARAMS = {"BN-Inception": 11_285_224, "BN-Inception-bias": 11_295_240}
CONCATS = {
    "3a": 256,
    "3b": 320,
    "3c": 576,
    "4a": 576,
    "4b": 576,
    "4c": 608,
    "4d": 608,
    "4e": 1056,
    "5a": 1024,
    "5b": 1024,
}
SIDES = {"3a": 28, "3b": 28, "3c": 14, "4a": 14, "4b": 14, "4c": 14, "4d": 14, "4e": 7, "5a": 7, "5b": 7}


def small(**levels: object) -> InceptionV2:
    return InceptionV2.model_validate({"width": 0.125, "blocks": (2, 2, 1)} | levels)


PAPER = InceptionV2(stem="imagenet")


@pytest.mark.parametrize(("name", "params"), PARAMS.items())
def test_parameters_are_those_of_the_releases(name: str, params: int) -> None:
    assert count(by_name(name).model, 224, 3, 1000).params == params


def test_multiply_adds_are_those_of_the_literature() -> None:
    assert count(PAPER, 224, 3, 1000).macs == pytest.approx(2.033e9, rel=5e-3)


def test_shapes_are_those_of_the_filter_counts_of_figure_5() -> None:
    shapes = {stage.name: stage.shape for stage in stages(PAPER, 224)}
    assert shapes.pop("stem") == (192, 28, 28)
    assert shapes.pop("head") == (10,)
    assert shapes == {f"stages.{name}": (out, SIDES[name], SIDES[name]) for name, out in CONCATS.items()}


def test_logits_equal_pytorchcv() -> None:
    mine, theirs, images = references.published("BN-Inception-bias"), their_net(), equality.noise(64)
    equality.copy(mine, theirs, images)
    equality.assert_same_logits(mine, theirs, images)


def test_a_training_step_equals_pytorchcv() -> None:
    mine, theirs, images = references.published("BN-Inception-bias"), their_net(), equality.noise(64, num=4)
    equality.assert_same_step(mine, theirs, equality.copy(mine, theirs, images), images)


def their_net() -> nn.Module:
    """pytorchcv's net, whose average pool is for 224 pixels alone."""
    theirs = references.reference("pytorchcv", "bninception")
    theirs.get_submodule("features").final_pool = nn.AdaptiveAvgPool2d(1)
    return theirs


def test_squeeze_and_excitation_lies_on_the_concat_of_every_module() -> None:
    plain, excited = PAPER, by_name("SE-BN-Inception").model
    more = sum(2 * out * (out // 16) + out // 16 + out for out in CONCATS.values())
    assert count(excited, 224, 3, 1000).params - PARAMS["BN-Inception"] == more
    assert [row.shape for row in stages(excited, 64)] == [row.shape for row in stages(plain, 64)]


@pytest.mark.parametrize(("chosen", "excited"), [((1,), "345"[:1]), ((2, 3), "45"), (None, "345")])
def test_squeeze_and_excitation_is_on_the_grids_asked_for(chosen: tuple[int, ...] | None, excited: str) -> None:
    net = outline(small(se={"place": "standard", "stages": chosen}), 3, 10)
    found = {name for name, _ in net.named_parameters() if ".se." in name}
    assert {name.split(".")[1][0] for name in found} == set(excited)


@pytest.mark.parametrize("side", [1, 2, 5, 8, 28])
def test_the_pool_beside_convs_makes_as_many_pixels_as_they_do(side: int) -> None:
    x = equality.noise(side)
    pooled = PoolBeside()(x)
    assert pooled.shape == F.conv2d(x, torch.zeros(3, 3, 3, 3), stride=2, padding=1).shape
    assert torch.isfinite(pooled).all()
    if side % 2 == 0:
        torch.testing.assert_close(pooled, F.max_pool2d(x, 3, 2, ceil_mode=True))


def test_strided_modules_pass_their_input_through_the_pool() -> None:
    net = build(small(), 3, 5).eval()
    x = equality.noise(8, channels=32)
    module = net.get_submodule("stages.3b")
    assert torch.equal(module(x)[:, -32:], F.max_pool2d(x, 3, 2, ceil_mode=True))


@pytest.mark.parametrize("kind", ["3x3", "5x5"])
def test_the_large_conv_changes_the_parameters_as_its_kernels_do(kind: str) -> None:
    pairs = [
        (64, 96),
        (64, 96),
        (64, 96),
        (96, 128),
        (96, 128),
        (128, 160),
        (160, 192),
        (192, 256),
        (160, 224),
        (192, 224),
    ]
    area = int(kind[0]) ** 2
    # The second 3x3 goes, with its batch norm.
    change = sum((area - 9) * reduced * out - 9 * out * out - 2 * out for reduced, out in pairs)
    assert count(InceptionV2(stem="imagenet", large_conv=kind), 224, 3, 1000).params - PARAMS["BN-Inception"] == change  # type: ignore[arg-type]


def test_all_pools_beside_convs_average_but_the_last() -> None:
    net = outline(PAPER, 3, 10).get_submodule("stages")
    kinds = [type(net.get_submodule(f"{name}.branches")[-1][0]) for name in CONCATS]  # type: ignore[index]
    halving = [nn.AvgPool2d, nn.AvgPool2d, PoolBeside]
    assert kinds == [*halving, *[nn.AvgPool2d] * 4, PoolBeside, nn.AvgPool2d, nn.MaxPool2d]


@pytest.mark.parametrize(
    ("blocks", "names"),
    [((1, 1, 1), ("3a", "4a", "5a")), ((2, 6, 1), ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "4f", "5a"))],
)
def test_the_last_module_of_a_grid_halves_it_whatever_their_number(
    blocks: tuple[int, int, int], names: tuple[str, ...]
) -> None:
    shapes = {row.name: row.shape[1] for row in stages(small(blocks=blocks), 32) if row.name.startswith("stages.")}
    assert list(shapes) == [f"stages.{name}" for name in names]
    assert list(shapes.values()) == [32] * (blocks[0] - 1) + [16] * blocks[1] + [8] * (1 + blocks[2])


@pytest.mark.parametrize("size", [7, 8, 30, 33])
def test_inputs_of_any_side_from_the_minimum_are_taken(size: int) -> None:
    net = build(InceptionV2(stem="imagenet", width=0.1), 3, 5).eval()
    assert net.pooled(equality.noise(size)).shape == (2, 102)
    assert PAPER.min_size == 7
    if size == 7:
        with pytest.raises(RuntimeError):
            net(equality.noise(6))


def test_the_small_stem_takes_one_pixel() -> None:
    assert small().min_size == 1
    assert build(small(), 3, 5).eval()(equality.noise(1)).shape == (2, 5)


def test_auxiliary_heads_hang_on_the_modules_named() -> None:
    net = build(small(auxiliary={"at": ("4a", "4b"), "dropout": 0.0, "weight": 0.2}), 3, 5).train()
    _, sides = net.features(equality.noise(32))
    assert [side.shape for side in sides] == [(2, 5), (2, 5)]
    assert net.auxiliary_weight == 0.2


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"model.auxiliary.at": ("4f",)}, "names '4f', but this net has 3a, 3b, 3c, 4a"),
        ({"model.bias": True, "model.norm": "none"}, "bias has no effect with norm 'none'"),
        ({"model.large_conv": "7x7"}, "5x5"),
        ({"data.size": 5, "model.stem": "imagenet"}, "5 pixels is too small for BN-Inception: its minimum is 7"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(levels: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe(model=InceptionV2()).replace(levels)
