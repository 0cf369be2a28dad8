"""The net that ResNet, Wide ResNet, ResNeXt and SENet are: a stem, stages of residual units, a head."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor, nn

from paribus.models.blocks import ConvNet, Head, NormAct, conv
from paribus.models.residual import ConvSpec, Style, Unit
from paribus.recipe.families.family import Residual
from paribus.recipe.families.resnet import Stem, StrideOn


class ResidualNet(ConvNet):
    """conv1, stages of units, global average pool, classifier: ResNet, Wide ResNet, ResNeXt and SENet.

    `stages` lists each stage's each unit's convs, see `planned`. Images (N, in_channels, H, W) of any side from 1, from
    3 with the `caffe` stem.
    """

    def __init__(
        self,
        model: Residual,
        style: Style,
        conv1: nn.Module,
        stem_channels: int,
        stages: Sequence[Sequence[Sequence[ConvSpec]]],
        num_classes: int,
        *,
        stem: Stem,
    ) -> None:
        super().__init__()
        around = style.around
        self.fan = "in" if stem == "small" else "out"
        self.conv1 = conv1
        tokens = "BR".replace(around.first, "") if around.first else "BR"
        self.first = NormAct(model.norm, stem_channels, tokens, act=model.activation)
        self.pool = _stem_pool(stem)
        self.stages = nn.ModuleList()
        channels = stem_channels
        survivals = iter(model.stochastic_depth.chances(sum(map(len, stages))))
        for number, units in enumerate(stages, start=1):
            stage = nn.Sequential()
            for convs in units:
                stage.append(Unit(model, style, channels, convs, stage=number, survival=next(survivals)))
                style = replace(style, activates_first=False)
                channels = convs[-1].channels
            self.stages.append(stage)
        self.last = NormAct(model.norm, channels, around.first, act=model.activation)
        self.head = Head(channels, num_classes, model.dropout if model.dropout_placement == "head" else 0.0)

    def pooled(self, images: Tensor) -> Tensor:
        x = self.pool(self.first(self.conv1(images)))
        for stage in self.stages:
            x = stage(x)
        pooled: Tensor = self.last(x).mean((2, 3))
        return pooled


def planned(
    bases: Sequence[int], num_units: Sequence[int], convs: Callable[[int, int], Sequence[ConvSpec]]
) -> list[list[Sequence[ConvSpec]]]:
    """Each stage's each unit's convs, `convs(base, stride)`: the first unit of every stage but the first strides."""
    return [
        [convs(base, 2 if at == 0 and stage > 0 else 1) for at in range(count)]
        for stage, (base, count) in enumerate(zip(bases, num_units, strict=True))
    ]


def bottleneck(
    widths: tuple[int, int, int], stride: int, groups: int = 1, stride_on: StrideOn = "3x3"
) -> list[ConvSpec]:
    """1x1, 3x3 in `groups`, 1x1, to `widths` channels (He et al. 2016a, figure 5; Xie et al. 2017, figure 3 (c))."""
    first, inner, out = widths
    strides = (stride, 1) if stride_on == "1x1" else (1, stride)
    return [ConvSpec(1, first, strides[0]), ConvSpec(3, inner, strides[1], groups), ConvSpec(1, out)]


def _stem_pool(stem: Stem) -> nn.Module:
    if stem == "small":
        return nn.Identity()
    return nn.MaxPool2d(3, 2, ceil_mode=True) if stem == "caffe" else nn.MaxPool2d(3, 2, padding=1)


def stem_conv(model: Residual, in_channels: int, channels: int, stem: str) -> nn.Module:
    """3x3 at stride 1 for small images, 7x7 at stride 2 for ImageNet."""
    bias = model.norm == "none"
    return conv(in_channels, channels, 3, 1, bias) if stem == "small" else conv(in_channels, channels, 7, 2, bias)
