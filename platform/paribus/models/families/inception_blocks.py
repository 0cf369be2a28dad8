"""What every Inception is made of: branches as the papers' tables write them, modules, auxiliary heads, the net."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.models.blocks import Concat, ConvNet, ConvNormAct, Kernel, Linear, excitation, widened
from paribus.models.deterministic import AverageTo
from paribus.models.dropout import dropout
from paribus.recipe.components.component import Value
from paribus.recipe.families.family import SqueezeExcite as SqueezeExciteRecipe


class CBR(NamedTuple):
    """Conv, batch norm, ReLU; `channels` as the paper prints them, before the width multiplier. `std`: see `Conv`."""

    kernel: Kernel
    channels: int
    stride: int = 1
    padding: Literal["same", "valid"] = "same"
    act: bool = True
    std: float | None = None


class Pool(NamedTuple):
    """A pool. Padding "same" keeps the size at stride 1; "valid" and "ceil" have none, "ceil" counts the last partial
    window, as Caffe does; "beside" is "ceil" for a max pool beside padded convs of stride 2, see `PoolBeside`."""

    kind: Literal["average", "max"]
    kernel: int = 3
    stride: int = 1
    padding: Literal["same", "valid", "ceil", "beside"] = "same"


class Fork(NamedTuple):
    """Arms side by side at the end of a branch, such as Inception-v4's {1x3 beside 3x1}; joined along the channels."""

    arms: tuple[tuple["Step", ...], ...]


class Chain(NamedTuple):
    """Steps in place of one, such as 1x7 and 7x1 for a 7x7: what follows keeps its name, and so its initial values."""

    steps: tuple["Step", ...]


Step = CBR | Pool | Fork | Chain


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How all parts of one net are made.

    `bias` gives a conv a bias beside its batch norm; without a norm it has one anyway. `count_include_pad` says whether
    padded average pools count the padding. `se` puts squeeze-and-excitation on each module's concat.
    """

    width: float = 1.0
    norm: Value = "batch"
    act: Value = "relu"
    eps: float = 1e-3
    bias: bool = False
    count_include_pad: bool = True
    se: SqueezeExciteRecipe = field(default_factory=SqueezeExciteRecipe)


class Branch(nn.Sequential):
    """Steps one after another: (N, in, H, W) to (N, `channels`, H', W')."""

    def __init__(self, layout: Layout, in_channels: int, steps: Sequence[Step]) -> None:
        super().__init__()
        self.channels = in_channels
        for step in steps:
            part = _part(layout, self.channels, step)
            if isinstance(part, (InceptionModule, Branch)):
                self.channels = part.channels
            elif isinstance(part, ConvNormAct):
                self.channels = part.conv.out_channels
            self.append(part)


class InceptionModule(Concat):
    """An Inception module: branches over one input, joined, then squeeze-and-excitation where `layout.se` has `stage`.

    `stage` counts grids from 1. (N, in, H, W) to (N, `channels`, H', W').
    """

    def __init__(
        self, layout: Layout, in_channels: int, branches: Sequence[Sequence[Step]], stage: int | None = None
    ) -> None:
        super().__init__([Branch(layout, in_channels, steps) for steps in branches])
        self.channels = sum(branch.channels for branch in self.branches if isinstance(branch, Branch))
        excited = stage is not None and layout.se.at(stage)
        self.se = excitation(self.channels, layout.se) if excited else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.se(super().forward(x))
        return joined


def _part(layout: Layout, in_channels: int, step: Step) -> nn.Module:
    if isinstance(step, Fork):
        return InceptionModule(layout, in_channels, step.arms)
    if isinstance(step, Chain):
        return Branch(layout, in_channels, step.steps)
    if isinstance(step, Pool):
        return pool(step, layout.count_include_pad)
    return cbr(layout, in_channels, step)


def cbr(layout: Layout, in_channels: int, step: CBR) -> ConvNormAct:
    """The conv, norm and ReLU of `step`, as wide as `layout` says."""
    made = ConvNormAct(
        in_channels,
        widened(step.channels, layout.width),
        step.kernel,
        step.stride,
        padding=step.padding,
        norm=layout.norm,
        eps=layout.eps,
        act=layout.act if step.act else None,
        bias=layout.bias,
    )
    made.conv.std = step.std
    return made


def pool(step: Pool, count_include_pad: bool = True) -> nn.Module:
    """The pool of `step`: (N, C, H, W) to (N, C, H', W')."""
    if step.padding == "beside":
        return PoolBeside()
    padding, ceil = (step.kernel // 2 if step.padding == "same" else 0), step.padding == "ceil"
    if step.kind == "max":
        return nn.MaxPool2d(step.kernel, step.stride, padding, ceil_mode=ceil)
    return nn.AvgPool2d(step.kernel, step.stride, padding, ceil_mode=ceil, count_include_pad=count_include_pad)


class PoolBeside(nn.MaxPool2d):
    """Max pool 3x3/2 that gives ceil(H / 2), as padded convs of stride 2 beside it do: a window more where H is odd.

    (N, C, H, W) to (N, C, ceil(H / 2), ceil(W / 2)).
    """

    def __init__(self) -> None:
        super().__init__(3, 2, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        odd = (x.shape[3] % 2, x.shape[2] % 2)
        if any(odd):
            x = F.pad(x, (0, odd[0], 0, odd[1]), value=-torch.inf)
        pooled: Tensor = super().forward(x)
        return pooled


class PoolTo(nn.Module):
    """Average pool 5x5/3 before an auxiliary head, to at least `side` pixels: 14x14 to 4x4, 17x17 to 5x5.

    Smaller maps, and with `always` all of them, are averaged to `side` x `side`. (N, C, H, W) to (N, C, H', W').
    """

    def __init__(self, side: int, *, always: bool = False) -> None:
        super().__init__()
        self.side, self.always = side, always
        self.average = AverageTo(side)

    def forward(self, x: Tensor) -> Tensor:
        if self.always or min(x.shape[2:]) < 5 + 3 * (self.side - 1):
            averaged: Tensor = self.average(x)
            return averaged
        return F.avg_pool2d(x, 5, 3)

    def extra_repr(self) -> str:
        return f"side={self.side}, always={self.always}"


class Auxiliary(nn.Module):
    """A classifier on a map inside the net, for training alone (GoogLeNet, section 5; Rethinking, section 4).

    Pool, 1x1 conv, a hidden fully connected layer, dropout, classifier. `hidden` is the fully connected layer, written
    as the valid conv that covers the pooled map: on a larger map its results are averaged. `norm` is that layer's (the
    BN auxiliary of Rethinking, section 4); the 1x1 conv has the net's. (N, in, H, W) to logits (N, classes).
    """

    def __init__(
        self,
        layout: Layout,
        in_channels: int,
        num_classes: int,
        hidden: CBR,
        *,
        pool: nn.Module,
        norm: Literal["batch", "none"],
        rate: float = 0.0,
        std: float | None = None,
    ) -> None:
        super().__init__()
        self.pool = pool
        self.reduce = cbr(layout, in_channels, CBR(1, 128))
        # Without a norm of its own the layer has a bias.
        own = Layout(width=layout.width, norm=norm, act=layout.act, eps=layout.eps, bias=layout.bias)
        self.hidden = cbr(own, self.reduce.conv.out_channels, hidden)
        self.dropout = dropout(rate, here=True)
        self.classifier = Linear(self.hidden.conv.out_channels, num_classes)
        self.classifier.std = std

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.hidden(self.reduce(self.pool(x))).mean((2, 3))
        logits: Tensor = self.classifier(self.dropout(hidden))
        return logits


class InceptionNet(ConvNet):
    """A stem, named modules one after another, global average pool, dropout, classifier.

    `stages` names modules as the paper does ("3a", "pool3"); the last must end in a ReLU. `auxiliary` holds the heads
    that hang on modules, by their names; they run in training mode alone. (N, in_channels, H, W) to (N, classes).
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: Mapping[str, nn.Module],
        head: nn.Module,
        auxiliary: Mapping[str, Auxiliary] | None = None,
        auxiliary_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleDict(stages)
        self.head = head
        self.auxiliary = nn.ModuleDict(auxiliary or {})
        self.auxiliary_weight = auxiliary_weight

    def features(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        x, sides = self.stem(images), []
        for name, stage in self.stages.items():
            x = stage(x)
            if self.training and name in self.auxiliary:
                sides.append(self.auxiliary[name](x))
        return torch.mean(x, (2, 3)), tuple(sides)
