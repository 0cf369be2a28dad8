"""ResNets v1 and v2 against torchvision, timm and pytorchcv: counts, logits, a training step, stages, bad input."""

import equality
import pytest
import references
import torch
from torch import nn

from paribus.models.build import build, outline
from paribus.models.complexity import stages
from paribus.models.dropout import StochasticDepth
from paribus.recipe import ResNet
from paribus.recipe.model import by_name

REFERENCES = [
    ("ResNet-18", "torchvision", "resnet18", 64),
    ("ResNet-34", "torchvision", "resnet34", 64),
    ("ResNet-50", "torchvision", "resnet50", 64),
    ("ResNet-101", "timm", "resnet101", 33),
    ("ResNet-152", "torchvision", "resnet152", 33),
    ("PreResNet-18-raw", "timm v2", "resnetv2_18", 64),
    ("PreResNet-34-raw", "timm v2", "resnetv2_34", 64),
    ("PreResNet-50", "timm v2", "resnetv2_50", 64),
    ("PreResNet-101", "timm v2", "resnetv2_101", 33),
    ("PreResNet-152", "timm v2", "resnetv2_152", 33),
    ("ResNet-20-B", "pytorchcv", "resnet20_cifar10", 32),
    ("ResNet-56-B", "pytorchcv", "resnet56_cifar10", 32),
    ("ResNet-110-B", "pytorchcv", "resnet110_cifar10", 32),
    ("PreResNet-110-raw", "pytorchcv", "preresnet110_cifar10", 32),
]


@pytest.mark.parametrize(("name", "library", "theirs_name", "size"), REFERENCES)
def test_logits_equal_the_reference(name: str, library: str, theirs_name: str, size: int) -> None:
    references.assert_equal(name, library, theirs_name, equality.noise(size))


@pytest.mark.parametrize(("depth", "theirs_name"), [(164, "preresnet164bn_cifar10"), (1001, "preresnet1001_cifar10")])
def test_preactivated_bottlenecks_equal_pytorchcv_which_strides_on_the_3x3(depth: int, theirs_name: str) -> None:
    x, changes = equality.noise(32, num=1), {"stride_on": "3x3"}
    references.assert_equal(f"PreResNet-{depth}", "pytorchcv", theirs_name, x, changes)


def test_stochastic_depth_equals_pytorchcv_but_for_where_it_rescales() -> None:
    theirs = references.reference("pytorchcv", "resdropresnet20_cifar10")
    mine = references.published("ResNet-20-B", {"stochastic_depth": {"survival": 0.5}})
    x = equality.noise(32)
    equality.copy(mine, theirs, x, shortcut="identity_conv")
    # It divides by the chance in training, we multiply by it in evaluation, as the paper does.
    units = [unit for stage in list(theirs.features.children())[1:4] for unit in stage]
    for unit in units:
        for values in (unit.body.conv2.bn.weight, unit.body.conv2.bn.bias):
            values.data.mul_(unit.life_prob)
    equality.assert_same_logits(mine, theirs, x)
    keeps = [module.rate for module in mine.modules() if isinstance(module, StochasticDepth)]
    assert keeps == pytest.approx([1 - unit.life_prob for unit in units])


@pytest.mark.parametrize(
    ("name", "library", "theirs_name"),
    [("ResNet-18", "torchvision", "resnet18"), ("PreResNet-50", "timm v2", "resnetv2_50")],
)
def test_one_training_step_equals_the_reference(name: str, library: str, theirs_name: str) -> None:
    mine, theirs = references.published(name), references.reference(library, theirs_name)
    x = equality.noise(64, num=4)
    names = equality.copy(mine, theirs, x, shortcut=references.SHORTCUT[library])
    equality.assert_same_step(mine, theirs, names, x)


@pytest.mark.parametrize(("name", "expansion"), [("ResNet-18", 1), ("ResNet-50", 4), ("PreResNet-50", 4)])
def test_stages_follow_table_1(name: str, expansion: int) -> None:
    rows = {stage.name: stage.shape for stage in stages(by_name(name).model, 224, 3, 1000)}
    assert rows["conv1"] == (64, 112, 112)
    assert rows["pool"] == (64, 56, 56)
    assert [rows[f"stages.{at}"] for at in range(4)] == [
        (64 * 2**at * expansion, 56 >> at, 56 >> at) for at in range(4)
    ]


def test_stages_of_small_images_follow_section_4_2() -> None:
    rows = {stage.name: stage.shape for stage in stages(ResNet(depth=20), 32)}
    assert [rows[f"stages.{at}"] for at in range(3)] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]


@pytest.mark.parametrize("stride_on", ["1x1", "3x3"])
def test_the_stride_lies_where_the_recipe_says(stride_on: str) -> None:
    net = outline(ResNet(depth=29, block="bottleneck", stride_on=stride_on), 3, 10)  # type: ignore[arg-type]
    strides = [conv.stride[0] for conv in net.stages[1][0].convs]
    assert strides == ([2, 1, 1] if stride_on == "1x1" else [1, 2, 1])
    assert net.stages[1][0].projection[0].stride == (2, 2)


def test_the_caffe_pool_rounds_up_and_is_not_padded() -> None:
    padded, caffe = ResNet(depth=18, stem="imagenet"), ResNet(depth=18, stem="caffe")
    nets = [build(model, 3, 10).eval() for model in (padded, caffe)]
    x = equality.noise(33)
    assert not torch.allclose(nets[0](x), nets[1](x))
    maps = nn.functional.relu(nets[1].first.norm(nets[1].conv1(x)))
    beyond = nn.functional.pad(maps, (0, 1, 0, 1), value=-torch.inf)
    assert torch.equal(nets[1].pool(maps), nn.functional.max_pool2d(beyond, 3, 2)[..., :8, :8])


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"depth": 21}, r"depth 21 is not 6n \+ 2 .* the nearest are 20 and 26"),
        ({"depth": 7}, "the nearest is 8"),
        ({"depth": 21, "block": "bottleneck"}, r"9n \+ 2 .* the nearest are 20 and 29"),
        ({"depth": 40, "stem": "imagenet"}, "allowed are 18, 34, or any other .* the nearest is 34"),
        ({"depth": 34, "stem": "caffe", "block": "bottleneck"}, "allowed are 50, 101, 152.*the nearest is 50"),
        ({"depth": 10, "blocks": (1, 1)}, "should be 3 counts from 1"),
        ({"depth": 10, "blocks": (1, 0, 1)}, "should be 3 counts from 1"),
        ({"depth": 12, "blocks": (1, 2, 1)}, "set model.depth=10"),
        ({"shortcut": "exclusive_gate", "shortcut_scale": 0.0}, "gates a shortcut, but shortcut_scale = 0"),
        ({"shortcut_scale": 0.0, "stochastic_depth": {"survival": 0.5}}, "nothing else carries the signal"),
        ({"shortcut_scale": 0.0, "se": {"place": "identity"}}, "se.place 'identity' lies on a shortcut"),
        ({"shortcut_scale": 0.0, "dropout": 0.5, "dropout_placement": "shortcut"}, "dropout = 0.5 lies on a shortcut"),
        ({"se": {"place": "standard", "stages": (0, 4)}}, "names 0, 4, but this net has stages 1 to 3"),
        ({"order": "preactivated"}, "preactivation"),
        ({"stride_on": "1x1"}, "basic units have no 1x1"),
    ],
)  # fmt: skip
def test_what_does_not_fit_names_what_does(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNet(**kwargs)  # type: ignore[arg-type]


def test_an_input_below_the_minimum_names_it() -> None:
    with pytest.raises(ValueError, match="2 pixels is too small for ResNet-18: its minimum is 3"):
        ResNet(depth=18, stem="caffe").check_size(2)
    assert build(ResNet(depth=18, stem="caffe", width=0.1), 3, 10).eval()(equality.noise(3)).shape == (2, 10)
    assert build(ResNet(depth=18, stem="imagenet", width=0.1), 3, 10).eval()(equality.noise(1)).shape == (2, 10)
