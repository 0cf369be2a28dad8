"""SENet-154 and the squeeze-and-excitation nets of other families against timm, and SENet-154's four changes."""

import equality
import pytest
import references
from torch import nn

from paribus.models.build import build, outline
from paribus.models.complexity import count, stages
from paribus.recipe import SENet
from paribus.recipe.model import by_name

# Millions, as table 10 of the TPAMI version prints them.
TABLE_10 = {2: 45.7, 4: 35.7, 8: 30.7, 16: 28.1, 32: 26.9}
REFERENCES = [
    ("SENet-154", "timm", "legacy_senet154", 33),
    ("SE-ResNet-50", "timm", "seresnet50", 64),
    ("SE-ResNet-101", "timm", "seresnet101", 33),
    ("SE-ResNet-152", "timm", "seresnet152", 33),
    ("SE-ResNet-50-caffe", "timm", "legacy_seresnet50", 64),
    ("SE-ResNet-101-caffe", "timm", "legacy_seresnet101", 33),
    ("SE-ResNet-152-caffe", "timm", "legacy_seresnet152", 33),
    ("SE-ResNeXt-50-32x4d", "timm", "seresnext50_32x4d", 64),
    ("SE-ResNeXt-101-32x4d", "timm", "seresnext101_32x4d", 33),
    ("SE-ResNeXt-50-32x4d-caffe", "timm", "legacy_seresnext50_32x4d", 64),
    ("SE-ResNeXt-101-32x4d-caffe", "timm", "legacy_seresnext101_32x4d", 33),
    ("SE-ResNet-110", "pytorchcv", "seresnet110_cifar10", 32),
    ("SE-ResNet-164", "pytorchcv", "seresnet164bn_cifar10", 32),
]


@pytest.mark.parametrize(("name", "library", "theirs_name", "size"), REFERENCES)
def test_logits_equal_the_reference(name: str, library: str, theirs_name: str, size: int) -> None:
    references.assert_equal(name, library, theirs_name, equality.noise(size, num=1))


@pytest.mark.parametrize(("depth", "theirs_name"), [(110, "sepreresnet110"), (164, "sepreresnet164bn")])
def test_preactivated_units_equal_pytorchcv(depth: int, theirs_name: str) -> None:
    theirs = references.reference("pytorchcv", f"{theirs_name}_cifar10")
    # It has the net's last norm and ReLU behind the first conv instead, which is no net of the papers.
    stem = theirs.features.init_block
    stem.bn, stem.activ = nn.Identity(), nn.Identity()
    last = nn.BatchNorm2d(theirs.output.in_features).eval()
    theirs.features.final_pool = nn.Sequential(last, nn.ReLU(), theirs.features.final_pool)
    mine = references.published(f"SE-PreResNet-{depth}", {"first_shortcut": "raw", "stride_on": "3x3"})
    equality.copy(mine, theirs, equality.noise(32, num=1), shortcut="identity_conv")
    equality.assert_same_logits(mine, theirs, equality.noise(32, num=1))


def test_one_training_step_equals_the_reference() -> None:
    mine = references.published("SE-ResNeXt-50-32x4d-caffe")
    theirs = references.reference("timm", "legacy_seresnext50_32x4d")
    theirs.drop_rate = 0.0  # timm's default is SENet-154's for all of them
    x = equality.noise(64, num=4)
    equality.assert_same_step(mine, theirs, equality.copy(mine, theirs, x), x)


def test_stages_are_those_of_senet_154() -> None:
    rows = {stage.name: stage.shape for stage in stages(by_name("SENet-154").model, 224, 3, 1000)}
    assert rows["conv1"] == (128, 112, 112)
    assert rows["pool"] == (128, 56, 56)
    assert [rows[f"stages.{at}"] for at in range(4)] == [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    assert by_name("SENet-154").model.name == "SENet-154"


def tiny(**changes: object) -> SENet:
    return SENet(**{"blocks": (1, 1, 1, 1), "width": 0.125, "cardinality": 4, "base_width": 16} | changes)  # type: ignore[arg-type]


def test_each_of_the_four_changes_is_a_field() -> None:
    net = outline(tiny(stem="imagenet"), 3, 10)
    halved = [stage[0].convs[0].out_channels * 2 == stage[0].convs[1].out_channels for stage in net.stages]
    assert all(halved)
    assert all(stage[0].convs[1].groups == 4 for stage in net.stages)
    assert [stage[0].projection[0].kernel_size for stage in net.stages] == [(1, 1), (3, 3), (3, 3), (3, 3)]
    assert [layer.kernel_size for layer in net.conv1 if isinstance(layer, nn.Conv2d)] == [(3, 3)] * 3
    assert net.head.dropout.rate == 0.2
    plain = tiny(stem="imagenet_7x7", halves_first=False, projection_kernel=1, dropout=0.0, dropout_placement="none")
    net = outline(plain, 3, 10)
    assert all(stage[0].convs[0].out_channels == stage[0].convs[1].out_channels for stage in net.stages)
    assert [stage[0].projection[0].kernel_size for stage in net.stages] == [(1, 1)] * 4
    assert net.conv1.kernel_size == (7, 7)
    assert isinstance(net.head.dropout, nn.Identity)
    assert plain.name == "SENet-14-4x16d-x0.125"


def test_without_its_changes_senet_154_is_an_se_resnext_152() -> None:
    senet = SENet(stem="imagenet_7x7", halves_first=False, projection_kernel=1)
    grouped = by_name("ResNeXt-50-32x4d").model.model_copy(update={"depth": 152, "cardinality": 64})
    with_se = type(grouped).model_validate(grouped.model_dump() | {"se": {"place": "standard"}})
    assert count(senet, 224, 3, 1000) == count(with_se, 224, 3, 1000)


@pytest.mark.parametrize("size", [1, 3, 8, 28])
@pytest.mark.parametrize("stem", ["small", "imagenet", "imagenet_7x7"])
def test_every_stem_takes_images_from_its_minimum_on(stem: str, size: int) -> None:
    model = tiny(stem=stem)
    if size < model.min_size:
        with pytest.raises(ValueError, match=f"its minimum is {model.min_size}"):
            model.check_size(size)
        return
    assert build(model, 1, 7).eval()(equality.noise(size, channels=1)).shape == (2, 7)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"blocks": (1, 1)}, "four counts from 1"),
        ({"blocks": (1, 1, 0, 1)}, "four counts from 1"),
        ({"width": 0.25, "base_width": 4}, "the nearest base_width that fits is 8, the nearest width 0.5"),
        ({"se": {"place": "standard", "stages": (5,)}}, "stages 1 to 4"),
    ],
)
def test_what_does_not_fit_names_what_does(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny(**kwargs)
