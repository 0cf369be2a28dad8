"""Wide ResNets against torchvision and against the formula of their unit."""

import equality
import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from paribus.models.blocks import widened
from paribus.models.build import build, outline
from paribus.models.dropout import Dropout
from paribus.models.residual import ConvSpec, Style, Unit
from paribus.recipe import WideResNet

REFERENCES = [
    ("resnet18", WideResNet(depth=18, stem="imagenet")),
    ("resnet34", WideResNet(depth=34, stem="imagenet")),
    ("wide_resnet50_2", WideResNet(depth=50, width=2.0, stem="imagenet", block="bottleneck")),
    ("wide_resnet101_2", WideResNet(depth=101, width=2.0, stem="imagenet", block="bottleneck")),
]


def made_unit(model: WideResNet, in_channels: int, out_channels: int, stride: int) -> Unit:
    convs = [ConvSpec(kernel, out_channels, 1 if at else stride) for at, kernel in enumerate(model.block)]
    return Unit(model, Style(order="preactivation"), in_channels, convs, stage=1, survival=1.0)


def images(size: int = 8, channels: int = 3, num: int = 4) -> torch.Tensor:
    return torch.randn(num, channels, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "model"), REFERENCES)
def test_imagenet_nets_equal_torchvision(name: str, model: WideResNet) -> None:
    ours = equality.fill(outline(model, 3, 1000)).eval()
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name, weights=None)
    theirs = theirs.to_empty(device="cpu").eval()
    x = images(size=64, num=2)
    equality.copy(ours, theirs, x)
    equality.assert_same_logits(ours, theirs, x)


def test_a_unit_is_its_formula_written_out() -> None:
    model = WideResNet(block=(3, 1, 3), residual_scale=0.2)
    unit = made_unit(model, 8, 12, 2)
    nn.init.normal_(unit.pre[0].norm.weight)
    x = images(channels=8)
    first = F.relu(F.batch_norm(x, None, None, *unit.pre[0].norm.parameters(), training=True))
    branch = F.conv2d(first, unit.convs[0].weight, stride=2, padding=1)
    branch = F.conv2d(F.relu(F.batch_norm(branch, None, None, training=True)), unit.convs[1].weight)
    branch = F.conv2d(F.relu(F.batch_norm(branch, None, None, training=True)), unit.convs[2].weight, padding=1)
    expected = F.conv2d(first, unit.projection.weight, stride=2) + 0.2 * branch
    torch.testing.assert_close(unit(x), expected, atol=1e-5, rtol=1e-5)


def test_an_identity_unit_adds_its_raw_input() -> None:
    unit = made_unit(WideResNet(residual_scale=0.3), 8, 8, 1)
    assert isinstance(unit.projection, nn.Identity)
    unit.convs[-1].weight.data.zero_()
    x = images(channels=8)
    torch.testing.assert_close(unit(x.clone()), x)


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_no_unit_overwrites_its_input(norm: str) -> None:
    unit = made_unit(WideResNet(norm=norm), 8, 8, 1)  # type: ignore[arg-type]
    x = images(channels=8)
    before = x.clone()
    unit(x)
    torch.testing.assert_close(x, before, atol=0, rtol=0)


@pytest.mark.parametrize("block", [(3,), (1,), (3, 3), (1, 3, 1), (3, 1), (1, 3), (3, 1, 1), (3, 1, 3), (3, 3, 3, 3)])
@pytest.mark.parametrize("width", [0.5, 1.0, 1.37])
def test_every_block_strides_once_a_stage(block: tuple[int, ...], width: float) -> None:
    net = build(WideResNet(depth=10, width=width, block=block), 1, 7)
    x = net.stages[0](net.conv1(images(channels=1)))
    assert x.shape == (4, widened(16, width), 8, 8)
    x = net.stages[1](x)
    assert x.shape == (4, widened(32, width), 4, 4)
    assert net.stages[2](x).shape == (4, widened(64, width), 2, 2)
    assert net(images(channels=1)).shape == (4, 7)
    assert len(net.stages[0][0].convs) == len(block)


@pytest.mark.parametrize(
    ("width", "channels"), [(1.0, 16), (0.5, 8), (1.5, 24), (0.03, 1), (0.1, 2), (1.37, 22), (1.03125, 17)]
)
def test_a_fractional_width_rounds_to_the_nearest_channel_halves_up(width: float, channels: int) -> None:
    assert widened(16, width) == channels


def test_a_net_narrower_than_one_channel_still_strides() -> None:
    assert build(WideResNet(depth=10, width=0.02), 1, 2)(images(channels=1)).shape == (4, 2)


def test_only_units_that_change_shape_have_a_projection() -> None:
    def projected(width: float) -> list[bool]:
        net = build(WideResNet(depth=16, width=width), 3, 10)
        return [not isinstance(unit.projection, nn.Identity) for stage in net.stages for unit in stage]

    assert projected(1.0) == [False, False, True, False, True, False]
    assert projected(2.0) == [True, False, True, False, True, False]


def test_without_norm_the_convs_have_biases_and_the_projection_has_none() -> None:
    net = build(WideResNet(norm="none"), 3, 10)
    biased = {name for name, module in net.named_modules() if isinstance(module, nn.Conv2d) and module.bias is not None}
    convs = {name for name, module in net.named_modules() if isinstance(module, nn.Conv2d)}
    assert convs - biased == {name for name in convs if name.endswith("projection")}
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())


@pytest.mark.parametrize("size", [1, 5, 8, 32])
@pytest.mark.parametrize("stem", ["small", "imagenet"])
def test_any_input_size_passes(stem: str, size: int) -> None:
    depth = 10 if stem == "small" else 18
    assert build(WideResNet(depth=depth, stem=stem), 3, 4).eval()(images(size)).shape == (4, 4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("block", "placement", "expected"),
    [
        ((3, 3), "branch", ["drops.1"]),
        ((3, 1, 3), "branch", ["drops.1", "drops.2"]),
        ((3,), "branch", ["drops.0"]),
        ((3, 3), "shortcut", ["join.shortcut_drop"]),
        ((3, 3), "head", []),
        ((3, 3), "none", []),
    ],
)
def test_dropout_lies_where_the_recipe_places_it(block: tuple[int, ...], placement: str, expected: list[str]) -> None:
    net = build(WideResNet(block=block, dropout=0.3, dropout_placement=placement), 3, 10)  # type: ignore[arg-type]
    unit = [name for name, module in net.stages[1][0].named_modules() if isinstance(module, Dropout)]
    assert unit == expected
    assert isinstance(net.head.dropout, Dropout) == (placement == "head")
