"""The one vocabulary that every family is written in: conv, norm, act, pool, concat, squeeze-excitation and head."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.models.dropout import dropout
from paribus.models.layers import activation, attention
from paribus.models.layers import norm as norm
from paribus.recipe.components.component import Value
from paribus.recipe.families.family import SqueezeExcite as SqueezeExciteRecipe
from paribus.recipe.families.family import widened as widened

Kernel = int | tuple[int, int]
norm_of = norm


class Conv(nn.Conv2d):
    """A convolution that knows how it starts: `std` of its normal draw where the paper states one (None: He et al.
    2015), and the constant of its bias. (N, in, H, W) to (N, out, H', W').

    On a CPU a strided 1x1 is a plain 1x1 over every `stride`-th pixel, the same sum: the backward of oneDNN's own
    writes past its workspace in channels_last where the input has fewer channels than a vector block (oneDNN's issue
    6035, torch 2.14 and 2.15): it crashes, hangs or gives wrong gradients. The pool over single pixels picks them, and
    keeps the layout, which an index would not in the backward.
    """

    std: float | None = None
    initial_bias: float = 0.0

    def forward(self, x: Tensor) -> Tensor:
        if x.is_cpu and self.kernel_size == (1, 1) and self.stride != (1, 1) and self.padding == (0, 0):
            return F.conv2d(F.avg_pool2d(x, 1, self.stride), self.weight, self.bias, groups=self.groups)
        return super().forward(x)


class Linear(nn.Linear):
    """A fully connected layer that knows how it starts: `std` of its normal draw (None: uniform, see initialise.py)."""

    std: float | None = None


def conv(
    in_channels: int,
    out_channels: int,
    kernel: Kernel,
    stride: int = 1,
    bias: bool = False,
    *,
    groups: int = 1,
    padding: Literal["same", "valid"] = "same",
) -> Conv:
    """`kernel` x `kernel`, or (height, width), convolution; "same" padding keeps the size at stride 1."""
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    around = (sides[0] // 2, sides[1] // 2) if padding == "same" else (0, 0)
    return Conv(in_channels, out_channels, sides, stride, padding=around, bias=bias, groups=groups)


class Activated(nn.Module):
    """A module that ends in an activation, ReLU unless the recipe names another."""

    activation: nn.Module | None

    def activate(self, value: Value, channels: int) -> None:
        """Have it, for a map of `channels`."""
        # ReLU is a call and no module, as it was before there was a choice: it may overwrite its input.
        self.activation = None if value == "relu" else activation(value, channels)

    def activated(self, x: Tensor, inplace: bool) -> Tensor:
        """`x` activated; a ReLU may overwrite it where `inplace`."""
        if self.activation is None:
            return F.relu(x, inplace=inplace)
        y: Tensor = self.activation(x)
        return y


class NormAct(Activated):
    """`act(norm(x))`, shape kept; `tokens` names what of it there is: "BR", "B", "R" or ""."""

    def __init__(
        self, kind: Value, channels: int, tokens: str = "BR", *, inplace: bool | None = None, act: Value = "relu"
    ) -> None:
        super().__init__()
        self.norm = norm(kind, channels) if "B" in tokens else nn.Identity()
        self.act = "R" in tokens
        if self.act:
            self.activate(act, channels)
        # Without a norm the ReLU would overwrite its own input, which a shortcut may still need.
        self.inplace = (kind == "batch" and "B" in tokens) if inplace is None else inplace

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.activated(x, self.inplace) if self.act else x

    def extra_repr(self) -> str:
        return f"act={self.act}"


class ConvNormAct(Activated):
    """`act(norm(conv(x)))`, the CBR of the Inception papers; `norm="none"` gives the conv a bias instead.

    `bias` gives it one beside its norm too. `act=None` leaves the activation out. Other options are those of `conv`.
    (N, in, H, W) to (N, out, H', W').
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Kernel,
        stride: int = 1,
        *,
        padding: Literal["same", "valid"] = "same",
        norm: Value = "batch",
        eps: float = 1e-3,
        act: Value | None = "relu",
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.conv = conv(in_channels, out_channels, kernel, stride, bias or norm == "none", padding=padding)
        self.norm = norm_of(norm, out_channels, eps)
        self.act = act is not None
        if act is not None:
            self.activate(act, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv(x))
        return self.activated(x, inplace=True) if self.act else x


class Concat(nn.Module):
    """Parallel branches over one input, joined along the channels in their order: an Inception module."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class SqueezeExcite(nn.Module):
    """`x * gate(W2 relu(W1 squeeze(x)))` (Hu et al. 2018, figure 2), shape kept.

    The two fully connected layers are 1x1 convs, so that NoSqueeze (section 6.2) is the same code on a whole map.
    """

    def __init__(self, channels: int, recipe: SqueezeExciteRecipe) -> None:
        super().__init__()
        hidden = max(1, channels // recipe.reduction)
        self.squeeze, self.gate = recipe.squeeze, recipe.gate
        self.reduce = conv(channels, hidden, 1, bias=recipe.bias)
        self.expand = conv(hidden, channels, 1, bias=recipe.bias)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = x
        if self.squeeze == "average":
            squeezed = x.mean((2, 3), keepdim=True)
        elif self.squeeze == "max":
            squeezed = x.amax((2, 3), keepdim=True)
        excited = self.expand(F.relu(self.reduce(squeezed), inplace=True))
        return x * _GATES[self.gate](excited)

    def extra_repr(self) -> str:
        return f"squeeze={self.squeeze}, gate={self.gate}"


_GATES: dict[str, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": F.relu}


def excitation(channels: int, recipe: SqueezeExciteRecipe) -> nn.Module:
    """What stands where `recipe` places it: squeeze-and-excitation, or another attention module. Shape kept."""
    if recipe.module == "squeeze_excite":
        return SqueezeExcite(channels, recipe)
    return attention(recipe.module, channels)


class Head(nn.Module):
    """Fully connected layers with an activation, one for each of `hidden`, dropout and the classifier.

    Pooled features (N, C) to logits (N, classes).
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        rate: float = 0.0,
        hidden: Sequence[int] = (),
        act: Value = "relu",
    ) -> None:
        super().__init__()
        self.hidden = nn.Sequential()
        for units in hidden:
            act_layer = nn.ReLU(inplace=True) if act == "relu" else activation(act, units)
            self.hidden.extend((Linear(channels, units), act_layer))
            channels = units
        self.dropout = dropout(rate, here=True)
        self.classifier = Linear(channels, num_classes)

    def forward(self, pooled: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(self.hidden(pooled)))
        return logits


class ConvNet(nn.Module):
    """What every family is: `forward(images) = head(pooled(images))`.

    `pooled` maps images (N, C, H, W) to the global average pool of the last ReLU, (N, features): an entry is 0 only
    where that channel was dead for that image, so a net's death is read off it at no cost. Where no ReLU comes last (a
    ResNet that has it before the sum, the released Inception-ResNet-v1, a tanh gate on what goes into the pool) entries
    can be negative, and death is seen in them only where the whole map is 0. A net with auxiliary heads overrides
    `features` instead. `fan` says which channels He et al.'s variance counts, see `initialise`.
    """

    head: nn.Module
    fan: Literal["in", "out"] = "in"
    auxiliary_weight: float = 0.0  # of each auxiliary head's loss in the loss that is trained on

    def pooled(self, images: Tensor) -> Tensor:
        return self.features(images)[0]

    def features(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Pooled features (N, features); in training mode also the logits (N, classes) of each auxiliary head."""
        return self.pooled(images), ()

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.pooled(images))
        return logits
