"""Network in Network against pytorchcv, and each of its factors against its count."""

import equality
import pytest
import references
import torch
from torch import nn

from paribus.models.build import build, outline
from paribus.models.complexity import count, stages
from paribus.models.dropout import Dropout
from paribus.recipe import NIN, Recipe, RecipeError
from paribus.recipe.model import by_name

PARAMS = {"NIN": 966_986, "NIN-CIFAR-100": 984_356, "NIN-BN": 1_007_242}


@pytest.mark.parametrize(("name", "params"), PARAMS.items())
def test_parameters_are_those_of_the_release(name: str, params: int) -> None:
    entry = by_name(name)
    assert count(entry.model, entry.size, entry.channels, entry.num_classes).params == params


def test_multiply_adds_are_those_of_the_literature() -> None:
    assert count(NIN(), 32).macs == pytest.approx(0.222e9, rel=5e-3)


def test_maps_are_those_of_the_paper() -> None:
    shapes = {stage.name: stage.shape for stage in stages(NIN(), 32)}
    assert shapes["mlpconvs.0"] == (96, 32, 32)
    assert shapes["mlpconvs.1"] == (192, 16, 16)
    assert shapes["mlpconvs.2"] == (192, 8, 8)
    assert shapes["scores"] == (10, 8, 8)


def their_nin(name: str) -> nn.Module:
    """pytorchcv's net, with pools that begin at the border, as Caffe's do, where it pads them by a pixel."""
    theirs = references.reference("pytorchcv", name)
    features = theirs.get_submodule("features")
    features.get_submodule("stage2").pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
    features.get_submodule("stage3").pool3 = nn.AvgPool2d(3, 2, ceil_mode=True)
    return theirs


@pytest.mark.parametrize(("name", "theirs_name"), [("NIN", "nin_cifar10"), ("NIN-CIFAR-100", "nin_cifar100")])
def test_logits_and_a_training_step_equal_pytorchcv(name: str, theirs_name: str) -> None:
    mine, theirs, images = references.published(name), their_nin(theirs_name), equality.noise(32)
    names = equality.copy(mine, theirs, images)
    equality.assert_same_logits(mine, theirs, images)
    for net in (mine, theirs):
        for layer in net.modules():
            if isinstance(layer, (Dropout, nn.Dropout)):  # The two draw different masks.
                layer.forward = lambda x: x  # type: ignore[method-assign]
    equality.assert_same_step(mine, theirs, names, images)


def test_the_average_head_reads_its_logits_off_the_last_relu() -> None:
    net = build(NIN(width=0.1), 3, 7).eval()
    pooled = net.pooled(equality.noise(32))
    assert pooled.shape == (2, 7)
    assert (pooled >= 0).all()
    torch.testing.assert_close(net(equality.noise(32)), pooled)


def test_a_linear_head_is_a_last_1x1_conv_without_relu_averaged() -> None:
    net = build(NIN(width=0.1, head="linear", norm="batch"), 3, 7).eval()
    x = equality.noise(32)
    with torch.no_grad():
        logits = net(x)
        for layer in net.get_submodule("mlpconvs").children():
            x = layer(x)
        weight, bias = net.get_parameter("head.classifier.weight"), net.get_parameter("head.classifier.bias")
        maps = nn.functional.conv2d(x, weight[:, :, None, None], bias)
    torch.testing.assert_close(logits, maps.mean((2, 3)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [4, 28, 32, 48])
def test_the_connected_head_reads_an_8x8_grid_of_class_maps_at_any_size(size: int) -> None:
    net = build(NIN(width=0.05, head="connected"), 3, 5).eval()
    assert net.get_parameter("head.classifier.weight").shape == (5, 8 * 8 * 5)
    assert net(equality.noise(size)).shape == (2, 5)


def test_at_32_pixels_the_connected_head_reads_the_maps_as_they_are() -> None:
    net = build(NIN(width=0.05, head="connected"), 3, 5).eval()
    maps = equality.noise(32)
    for layer in net.get_submodule("mlpconvs").children():
        maps = layer(maps)
    expected = net.get_submodule("scores")(maps).flatten(1)
    torch.testing.assert_close(net.pooled(equality.noise(32)), expected, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("levels", "more"),
    [
        ({"mlpconvs": ((192,), (192, 192, 192), (192, 192))}, -192 * 160 - 160 - 160 * 96 - 96 + 25 * 192 * 96),
        ({"kernels": (3, 5, 3)}, -16 * 3 * 192),
        ({"norm": "batch"}, 2 * (192 + 160 + 96 + 5 * 192)),
        ({"head": "connected"}, 640 * 10 + 10),
        ({"pools": ("average", "max")}, 0),
        ({"dropout": 0.0}, 0),
    ],
)
def test_a_factor_changes_the_parameters_as_its_formula_says(levels: dict[str, object], more: int) -> None:
    assert count(NIN.model_validate(levels), 32).params - PARAMS["NIN"] == more


def test_width_multiplies_every_layer_but_the_class_maps() -> None:
    net = outline(NIN(width=0.25), 3, 10)
    widths = [layer.out_channels for layer in net.modules() if isinstance(layer, nn.Conv2d)]
    assert widths == [48, 40, 24, 48, 48, 48, 48, 48, 10]


@pytest.mark.parametrize(("kind", "layer"), [("max", nn.MaxPool2d), ("average", nn.AvgPool2d)])
def test_pools_are_of_the_kind_asked_for(kind: str, layer: type[nn.Module]) -> None:
    net = outline(NIN.model_validate({"pools": (kind, kind)}), 3, 10)
    assert sum(isinstance(module, layer) for module in net.modules()) == 2


@pytest.mark.parametrize(
    ("levels", "rates"), [({}, [0.5, 0.5]), ({"dropout": 0.0}, []), ({"dropout": 0.2}, [0.2, 0.2])]
)
def test_dropout_lies_after_each_pool(levels: dict[str, object], rates: list[float]) -> None:
    net = outline(NIN.model_validate(levels), 3, 10)
    assert [layer.rate for layer in net.modules() if isinstance(layer, Dropout)] == rates


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"model.kernels": (5, 4, 3)}, "kernel 4 is not odd.*nearest are 3 and 5"),
        ({"model.kernels": (5, 3)}, "3 mlpconvs need 3 kernels"),
        ({"model.pools": ("max",)}, "3 mlpconvs need 2 pools"),
        ({"model.mlpconvs": ((192,), (), (3,))}, "at least one conv"),
        ({"model.head_dropout": 0.5}, "head_dropout acts before a fully connected layer"),
        (
            {"data.size": 4, "model.mlpconvs": ((9,),) * 4, "model.kernels": (3,) * 4, "model.pools": ("max",) * 3},
            "4 pixels is too small for NIN: its minimum is 8",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(levels: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe(model=NIN()).replace(levels)
