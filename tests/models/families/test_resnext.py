"""ResNeXts against torchvision, timm and pytorchcv, their three equal forms, and what cardinality costs."""

import equality
import pytest
import references
import torch
import torchvision
from torch.nn import functional as F

from paribus.models.blocks import Conv
from paribus.models.build import build, outline
from paribus.models.complexity import count, stages
from paribus.recipe import ResNeXt
from paribus.recipe.model import by_name

REFERENCES = [
    ("ResNeXt-50-32x4d", "torchvision", "resnext50_32x4d", 64),
    ("ResNeXt-101-32x4d", "timm", "resnext101_32x4d", 64),
    ("ResNeXt-101-64x4d", "torchvision", "resnext101_64x4d", 33),
    ("ResNeXt-101-32x8d", "torchvision", "resnext101_32x8d", 33),
    ("ResNeXt-29-32x4d", "pytorchcv", "resnext29_32x4d_cifar10", 32),
    ("ResNeXt-29-16x64d", "pytorchcv", "resnext29_16x64d_cifar10", 32),
]


@pytest.mark.parametrize(("name", "library", "theirs_name", "size"), REFERENCES)
def test_logits_equal_the_reference(name: str, library: str, theirs_name: str, size: int) -> None:
    references.assert_equal(name, library, theirs_name, equality.noise(size, num=1))


@pytest.mark.parametrize(("cardinality", "width"), [(2, 40), (8, 14)])
def test_the_other_templates_equal_torchvision_too(cardinality: int, width: int) -> None:
    mine = references.published(f"ResNeXt-50-{cardinality}x{width}d")
    with torch.device("meta"):
        block = torchvision.models.resnet.Bottleneck
        theirs = torchvision.models.ResNet(block, [3, 4, 6, 3], groups=cardinality, width_per_group=width)
    theirs = theirs.to_empty(device="cpu").eval()
    equality.copy(mine, theirs, equality.noise(64))
    equality.assert_same_logits(mine, theirs, equality.noise(64))


def test_one_training_step_equals_the_reference() -> None:
    mine = references.published("ResNeXt-50-32x4d")
    theirs = references.reference("torchvision", "resnext50_32x4d")
    x = equality.noise(64, num=4)
    equality.assert_same_step(mine, theirs, equality.copy(mine, theirs, x), x)


def test_stages_follow_table_1() -> None:
    rows = {stage.name: stage.shape for stage in stages(by_name("ResNeXt-50-32x4d").model, 224, 3, 1000)}
    assert [rows[f"stages.{at}"] for at in range(4)] == [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    rows = {stage.name: stage.shape for stage in stages(ResNeXt(cardinality=8, base_width=64), 32)}
    assert [rows[f"stages.{at}"] for at in range(3)] == [(256, 32, 32), (512, 16, 16), (1024, 8, 8)]


def test_a_grouped_branch_is_the_sum_of_its_paths() -> None:
    # Figure 3: (a), C paths of d channels added up, is (c), one conv in C groups.
    cardinality, channels = 4, 3
    unit = build(ResNeXt(cardinality=cardinality, base_width=channels, width=1.0), 3, 10).stages[0][1].eval()
    x = equality.noise(6, channels=256)
    branch = 0
    for path in range(cardinality):
        own = slice(path * channels, (path + 1) * channels)
        y = F.relu(F.conv2d(x, unit.convs[0].weight[own]) / (1 + 1e-5) ** 0.5)
        y = F.relu(F.conv2d(y, unit.convs[1].weight[own], padding=1) / (1 + 1e-5) ** 0.5)
        branch = branch + F.conv2d(y, unit.convs[2].weight[:, own]) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(unit(x), F.relu(x + branch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("cardinality", "base_width"), [(1, 64), (2, 40), (4, 24), (8, 14), (32, 4)])
def test_the_base_widths_at_constant_cost_are_those_of_table_2(cardinality: int, base_width: int) -> None:
    model = ResNeXt(cardinality=cardinality)
    assert model.resolved_base_width == base_width
    given = ResNeXt(cardinality=cardinality, base_width=base_width)
    assert model.name == given.name
    assert count(model, 32) == count(given, 32)


def test_cardinality_at_constant_cost_moves_the_parameters_of_a_narrow_net_little() -> None:
    params = [count(ResNeXt(cardinality=cardinality), 32).params for cardinality in (1, 2, 4, 8, 32)]
    assert max(params) / min(params) < 1.06
    assert len(set(params)) == 5


def test_every_3x3_has_its_groups_and_the_width_of_the_paper() -> None:
    net = outline(ResNeXt(depth=50, stem="imagenet", cardinality=8, base_width=14), 3, 1000)
    inner = [stage[1].convs[1] for stage in net.stages]
    assert all(isinstance(conv, Conv) and conv.groups == 8 for conv in inner)
    assert [conv.out_channels for conv in inner] == [8 * (base * 14 // 64) for base in (64, 128, 256, 512)]


def test_cpu_sized_siblings_train_on_small_images() -> None:
    net = build(ResNeXt(depth=11, cardinality=4, base_width=16, width=0.0625), 1, 7)
    assert net(equality.noise(8, channels=1)).shape == (2, 7)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"depth": 30}, "the nearest are 29 and 38"),
        ({"depth": 60, "stem": "imagenet"}, "the nearest is 50"),
        ({"cardinality": 300}, "the largest cardinality that does is 269"),
        ({"width": 0.1, "base_width": 4}, "the nearest base_width that fits is 10, the nearest width 0.25"),
        ({"blocks": (1, 2), "depth": 11}, "should be 3 counts from 1"),
        ({"blocks": (1, 1, 2), "depth": 11}, "set model.depth=14"),
        ({"cardinality": 0}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_names_what_does(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNeXt(**kwargs)  # type: ignore[arg-type]
