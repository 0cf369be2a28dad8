"""Xception (Chollet 2017, arXiv 1610.02357), figure 5."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from paribus.models.blocks import ConvNet, ConvNormAct, Head, NormAct, conv, widened
from paribus.models.residual import Around, ConvSpec, Style, Unit
from paribus.recipe.families.xception import Xception as XceptionRecipe

_STEM, _ENTRY, _EXIT, _LAST = (32, 64), (128, 256, 728), 1024, (1536, 2048)
_MIDDLE_CONVS = 3
# The first module has no leading ReLU, which the stem has just applied; the ReLU of the others is the branch's alone.
_FIRST = Style(order=Around("", "BR", "B", ""))
_OTHERS = Style(order=Around("R", "BR", "B", "", shared=False))

Intermediate = Literal["none", "relu", "elu"]


class Separable(nn.Module):
    """`pointwise(act(depthwise(x)))`, 3x3 then 1x1 (section 2; `intermediate` names the act, figure 10).

    (N, in, H, W) to (N, out, H, W).
    """

    def __init__(self, in_channels: int, channels: int, intermediate: Intermediate, bias: bool) -> None:
        super().__init__()
        self.intermediate = intermediate
        self.depthwise = conv(in_channels, in_channels, 3, groups=in_channels)
        self.pointwise = conv(in_channels, channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)
        if self.intermediate == "relu":
            x = F.relu(x, inplace=True)
        elif self.intermediate == "elu":
            x = F.elu(x, inplace=True)
        mixed: Tensor = self.pointwise(x)
        return mixed

    def extra_repr(self) -> str:
        return f"intermediate={self.intermediate}"


@dataclass(frozen=True)
class _Separable(ConvSpec):
    """One separable conv of a module."""

    intermediate: Intermediate = "none"

    def layer(self, in_channels: int, bias: bool) -> nn.Module:
        return Separable(in_channels, self.channels, self.intermediate, bias)


class Xception(ConvNet):
    """Stem, entry, middle and exit flow, two more separable convs, global average pool, classifier.

    Images (N, in_channels, H, W), of a side from 7 with the ImageNet stem and from 1 with the small one.
    """

    def __init__(self, model: XceptionRecipe, in_channels: int, num_classes: int) -> None:
        super().__init__()
        stem, entry, last = ([widened(base, model.width) for base in bases] for bases in (_STEM, _ENTRY, _LAST))
        middle, exits = entry[-1], widened(_EXIT, model.width)
        kept = iter(model.stochastic_depth.chances(len(entry) + model.middle_modules + 1))

        def module(stage: int, inputs: int, outputs: Sequence[int], pool_stride: int, style: Style = _OTHERS) -> Unit:
            convs = [_Separable(3, channels, intermediate=model.intermediate) for channels in outputs]
            return Unit(model, style, inputs, convs, stage=stage, survival=next(kept), pool_stride=pool_stride)

        self.stem = _stem(model, in_channels, stem)
        self.entry = nn.ModuleList()
        for inputs, channels in zip((stem[-1], *entry), entry, strict=False):
            self.entry.append(module(1, inputs, (channels, channels), 2, _OTHERS if len(self.entry) else _FIRST))
        self.middle = nn.Sequential()
        for _ in range(model.middle_modules):
            self.middle.append(module(2, middle, (middle,) * _MIDDLE_CONVS, 1))
        self.exit = module(3, middle, (middle, exits), 2)
        self.last = nn.Sequential()
        for inputs, channels in zip((exits, *last), last, strict=False):
            separable = Separable(inputs, channels, model.intermediate, bias=model.norm == "none")
            self.last.append(
                nn.Sequential(separable, NormAct(model.norm, channels, inplace=True, act=model.activation))
            )
        rate = model.dropout if model.dropout_placement == "head" else 0.0
        self.head = Head(last[-1], num_classes, rate, model.hidden, model.activation)

    def pooled(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for module in self.entry:
            x = module(x)
        pooled: Tensor = self.last(self.exit(self.middle(x))).mean((2, 3))
        return pooled


def _stem(model: XceptionRecipe, in_channels: int, channels: Sequence[int]) -> nn.Sequential:
    small = model.stem == "small"
    padding: Literal["same", "valid"] = "same" if small else "valid"
    stem = nn.Sequential()
    for inputs, outputs, stride in zip((in_channels, *channels), channels, (1 if small else 2, 1), strict=False):
        stem.append(
            ConvNormAct(inputs, outputs, 3, stride, padding=padding, norm=model.norm, eps=1e-5, act=model.activation)
        )
    return stem
