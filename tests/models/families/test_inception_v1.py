"""GoogLeNet against torchvision and the paper's table 1, its auxiliary heads and each of its factors."""

import equality
import pytest
import references
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.models.build import build, outline
from paribus.models.complexity import count, stages
from paribus.models.dropout import Dropout, dropout_layers, seed_dropout
from paribus.models.families.inception_blocks import PoolTo
from paribus.recipe import InceptionV1, Recipe, RecipeError
from paribus.recipe.model import by_name

PARAMS = {
    "GoogLeNet": 6_998_552,
    "GoogLeNet-aux": 13_378_280,
    "GoogLeNet-BN": 6_624_904,
    "GoogLeNet-BN-aux": 13_004_888,
}
MACS = {"GoogLeNet": 1.583e9, "GoogLeNet-aux": 1.583e9, "GoogLeNet-BN": 1.498e9}
SMALL = {"stem": "small", "width": 0.125, "blocks": (1, 4, 1)}


def small(**levels: object) -> InceptionV1:
    return InceptionV1.model_validate(SMALL | levels)


def paper(**levels: object) -> InceptionV1:
    return InceptionV1.model_validate({"stem": "imagenet"} | levels)


@pytest.mark.parametrize(("name", "params"), PARAMS.items())
def test_parameters_are_those_of_the_releases(name: str, params: int) -> None:
    assert count(by_name(name).model, 224, 3, 1000).params == params


@pytest.mark.parametrize(("name", "macs"), MACS.items())
def test_multiply_adds_are_those_of_the_literature(name: str, macs: float) -> None:
    assert count(by_name(name).model, 224, 3, 1000).macs == pytest.approx(macs, rel=5e-3)


@pytest.mark.parametrize("name", ["GoogLeNet", "GoogLeNet-BN"])
def test_shapes_are_those_of_table_1(name: str) -> None:
    shapes = {stage.name.removeprefix("stages."): stage.shape for stage in stages(by_name(name).model, 224)}
    assert shapes == {
        "stem": (192, 28, 28), "3a": (256, 28, 28), "3b": (480, 28, 28), "pool3": (480, 14, 14),
        "4a": (512, 14, 14), "4b": (512, 14, 14), "4c": (512, 14, 14), "4d": (528, 14, 14), "4e": (832, 14, 14),
        "pool4": (832, 7, 7), "5a": (832, 7, 7), "5b": (1024, 7, 7), "head": (10,),
    }  # fmt: skip


# Their auxiliary heads have fully connected layers where we have convs that cover the map.
@pytest.mark.parametrize("size", [64, 75])
def test_logits_equal_torchvision(size: int) -> None:
    mine, images = references.published("GoogLeNet-BN"), equality.noise(size)
    theirs = references.reference("torchvision", "googlenet", aux_logits=False, init_weights=False)
    equality.copy(mine, theirs, images)
    equality.assert_same_logits(mine, theirs, images)


class WithHeads(nn.Module):
    """A net whose output is what it trains on: the main logits, and each head's at its weight."""

    def __init__(self, net: nn.Module, weight: float) -> None:
        super().__init__()
        self.net, self.weight = net, weight

    def forward(self, images: Tensor) -> Tensor:
        if hasattr(self.net, "features"):
            pooled, sides = self.net.features(images)
            main = self.net.head(pooled)
        elif self.training:
            main, second, first = self.net(images)
            sides = (first, second)
        else:
            main, sides = self.net(images), ()
        return torch.cat([main] + [self.weight * side for side in sides], 1)


def test_a_training_step_with_both_heads_equals_torchvision() -> None:
    entry, images = by_name("GoogLeNet-BN-aux"), equality.noise(64, num=4)
    mine = outline(entry.model, 3, 10)
    equality.fill(mine)
    theirs = references.reference("torchvision", "googlenet", num_classes=10, aux_logits=True, init_weights=False)
    names = equality.copy(mine.eval(), theirs, images)
    for at, head in (("aux1", "4a"), ("aux2", "4d")):
        pairs = {"conv.conv": "reduce.conv", "conv.bn": "reduce.norm", "fc1": "hidden.conv", "fc2": "classifier"}
        for other, own in pairs.items():
            names[f"{at}.{other}"] = f"auxiliary.{head}.{own}"
            layer, values = theirs.get_submodule(f"{at}.{other}"), mine.get_submodule(f"auxiliary.{head}.{own}")
            shapes = layer.state_dict()
            layer.load_state_dict({k: v.reshape(shapes[k].shape) for k, v in values.state_dict().items()})
    for net in (mine, theirs):
        for layer in net.modules():
            if isinstance(layer, (Dropout, nn.Dropout)):  # The two draw different masks.
                layer.forward = lambda x: x  # type: ignore[method-assign]
    prefixed = {f"net.{other}": f"net.{own}" for other, own in names.items()}
    assert mine.auxiliary_weight == 0.3
    equality.assert_same_step(WithHeads(mine, 0.3), WithHeads(theirs, 0.3), prefixed, images)


def test_a_module_is_figure_2b_written_out() -> None:
    net = build(small(norm="none"), 3, 5)
    module = net.get_submodule("stages.3a")
    weights = dict(module.named_parameters())
    assert len(weights) == 12

    def convolve(x: Tensor, name: str, padding: int = 0) -> Tensor:
        weight, bias = weights[f"branches.{name}.conv.weight"], weights[f"branches.{name}.conv.bias"]
        return F.relu(F.conv2d(x, weight, bias, padding=padding))

    x = equality.noise(9, channels=24)
    expected = [
        convolve(x, "0.0"),
        convolve(convolve(x, "1.0"), "1.1", padding=1),
        convolve(convolve(x, "2.0"), "2.1", padding=2),
        convolve(F.max_pool2d(x, 3, 1, 1), "3.1"),
    ]
    torch.testing.assert_close(module(x), torch.cat(expected, 1))


def test_the_response_norm_is_krizhevskys_formula() -> None:
    norm = build(small(), 3, 5).get_submodule("stem.norm1")
    x = equality.noise(3, channels=8)
    squares = F.pad(x**2, (0, 0, 0, 0, 2, 2))
    summed = torch.stack([squares[:, at : at + 8] for at in range(5)]).sum(0)
    torch.testing.assert_close(norm(x), x / (1 + 1e-4 / 5 * summed) ** 0.75)


@pytest.mark.parametrize(
    ("at", "heads"), [((), 0), (("4a",), 1), (("4d",), 1), (("4a", "4d"), 2), (("3a", "4b", "5a"), 3)]
)
def test_auxiliary_heads_run_in_training_alone(at: tuple[str, ...], heads: int) -> None:
    net = build(small(norm="batch", auxiliary={"at": at, "dropout": 0.0}), 3, 5)
    pooled, sides = net.train().features(equality.noise(32))
    assert pooled.shape == (2, 104)
    assert [side.shape for side in sides] == [(2, 5)] * heads
    assert net.eval().features(equality.noise(32))[1] == ()


def test_auxiliary_heads_leave_the_rest_of_the_net_as_it_starts() -> None:
    plain, with_heads = build(small(), 3, 5), build(small(auxiliary={"at": ("4a", "4d")}), 3, 5)
    shared = plain.state_dict()
    assert {name for name in with_heads.state_dict() if name not in shared} == {
        name for name in with_heads.state_dict() if name.startswith("auxiliary.")
    }
    for name, values in shared.items():
        torch.testing.assert_close(with_heads.state_dict()[name], values, atol=0, rtol=0)


def test_the_norm_of_a_head_is_that_of_its_hidden_layer() -> None:
    net = outline(paper(auxiliary={"at": ("4a",), "norm": "batch"}), 3, 10)
    head = net.get_submodule("auxiliary.4a")
    assert isinstance(head.get_submodule("hidden.norm"), nn.BatchNorm2d)
    assert head.get_submodule("hidden.conv").bias is None
    assert isinstance(head.get_submodule("reduce.norm"), nn.Identity)
    # Two numbers a unit in place of its bias.
    plain = count(paper(auxiliary={"at": ("4a",)}), 224).params
    assert sum(values.numel() for values in net.parameters()) - plain == 1024


def test_dropout_of_a_head_lies_before_its_classifier() -> None:
    net = build(small(dropout=0.0, auxiliary={"at": ("4a",), "dropout": 0.7}), 3, 5).train()
    layers = dropout_layers(net)
    assert list(layers) == ["auxiliary.4a.dropout"]
    logits = []
    for step in (1, 1, 2):
        seed_dropout(layers, 0, step)
        logits.append(net.features(equality.noise(32))[1][0])
    torch.testing.assert_close(logits[0], logits[1], atol=0, rtol=0)
    assert not torch.equal(logits[0], logits[2])


@pytest.mark.parametrize(("side", "out"), [(14, 4), (16, 4), (17, 5), (28, 8), (13, 4), (7, 4), (1, 4)])
def test_the_pool_of_a_head_is_the_papers_from_14_pixels_and_to_4x4_below(side: int, out: int) -> None:
    x = equality.noise(side)
    pooled = PoolTo(4)(x)
    assert pooled.shape[2:] == (out, out)
    expected = F.avg_pool2d(x, 5, 3) if side >= 14 else F.adaptive_avg_pool2d(x, 4)
    torch.testing.assert_close(pooled, expected)
    torch.testing.assert_close(PoolTo(4, always=True)(x), F.adaptive_avg_pool2d(x, 4))


@pytest.mark.parametrize("large_conv", ["3x3", "two_3x3"])
def test_the_large_conv_changes_the_parameters_as_its_kernels_do(large_conv: str) -> None:
    pairs = [(16, 32), (32, 96), (16, 48), (24, 64), (24, 64), (32, 64), (32, 128), (32, 128), (48, 128)]
    change = {
        "3x3": sum((9 - 25) * reduced * out for reduced, out in pairs),
        "two_3x3": sum((9 - 25) * reduced * out + 9 * out * out + out for reduced, out in pairs),
    }[large_conv]
    assert count(paper(large_conv=large_conv), 224, 3, 1000).params - PARAMS["GoogLeNet"] == change


@pytest.mark.parametrize(
    ("levels", "kinds"),
    [
        ({"norm": "lrn"}, {nn.LocalResponseNorm: 2, nn.BatchNorm2d: 0}),
        ({"norm": "none"}, {nn.LocalResponseNorm: 0, nn.BatchNorm2d: 0}),
        ({"norm": "batch"}, {nn.LocalResponseNorm: 0, nn.BatchNorm2d: 57}),
    ],
)
def test_norm_is_of_the_kind_asked_for(levels: dict[str, str], kinds: dict[type[nn.Module], int]) -> None:
    net = outline(paper(**levels), 3, 10)
    for kind, number in kinds.items():
        assert sum(isinstance(module, kind) for module in net.modules()) == number
    biased = [module.bias is not None for module in net.modules() if isinstance(module, nn.Conv2d)]
    assert len(biased) == 57
    assert set(biased) == {levels["norm"] != "batch"}


def test_the_small_stem_keeps_32_pixels_for_the_first_grid() -> None:
    shapes = {stage.name: stage.shape for stage in stages(InceptionV1(), 32)}
    assert shapes["stem"] == (192, 32, 32)
    assert shapes["stages.4e"] == (832, 16, 16)
    assert shapes["stages.5b"] == (1024, 8, 8)


@pytest.mark.parametrize(
    ("blocks", "names"),
    [((1, 1, 1), ("3a", "4a", "5a")), ((3, 2, 1), ("3a", "3b", "3c", "4a", "4b", "5a"))],
)
def test_blocks_are_the_first_modules_of_a_grid_or_repeat_its_last(
    blocks: tuple[int, int, int], names: tuple[str, ...]
) -> None:
    model = small(blocks=blocks)
    assert model.modules == names
    rows = {stage.name: stage.shape[0] for stage in stages(small(blocks=blocks, width=1.0), 32)}
    assert rows["stages.4a"] == 512
    if blocks[0] == 3:
        assert rows["stages.3b"] == rows["stages.3c"] == 480


@pytest.mark.parametrize("levels", [{}, {"last_pool": "2x2"}, {"stem": "small"}, {"stem": "small", "last_pool": "2x2"}])
def test_the_smallest_input_is_the_one_stated(levels: dict[str, str]) -> None:
    model = InceptionV1.model_validate({"stem": "imagenet", "width": 0.1, "auxiliary": {"at": ("4a",)}, **levels})
    net = build(model, 3, 5).eval()
    assert net(equality.noise(model.min_size)).shape == (2, 5)
    with pytest.raises(RuntimeError):
        net(equality.noise(model.min_size - 1))


@pytest.mark.parametrize("last_pool", ["3x3", "2x2"])
def test_the_last_pool_sees_the_pixels_that_it_says(last_pool: str) -> None:
    side = int(last_pool[0])
    layer = build(small(last_pool=last_pool), 3, 5).get_submodule("stages.pool4")
    x = equality.noise(14)
    torch.testing.assert_close(layer(x), F.max_pool2d(x, side, 2, ceil_mode=True))


def test_width_multiplies_every_conv() -> None:
    wide, plain = (stages(paper(width=width), 224)[:-1] for width in (1.5, 1.0))
    assert [row.shape[0] for row in wide] == [row.shape[0] * 3 // 2 for row in plain]


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"model.auxiliary.at": ("4f",)}, "names '4f', but this net has 3a, 3b, 4a, 4b, 4c, 4d, 4e, 5a, 5b"),
        ({"model.auxiliary.at": ("4a", "4a")}, "names a module twice"),
        ({"model.blocks": (0, 5, 2)}, "greater than or equal to 1"),
        ({"model.bias": True}, "bias has no effect with norm 'lrn'"),
        ({"model.se.place": "pre"}, "none.*standard"),
        ({"model.se.place": "standard", "model.se.stages": (4,)}, "se.stages names 4.*stages 1 to 3"),
        ({"data.size": 28, "model.stem": "imagenet"}, "28 pixels is too small for GoogLeNet: its minimum is 31"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(levels: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe(model=InceptionV1()).replace(levels)
