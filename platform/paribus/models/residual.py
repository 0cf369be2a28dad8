"""Residual units: `y = after(shortcut_scale * shortcut(x) + residual_scale * f(x))`, one kind for every family."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.models.blocks import NormAct, conv, excitation, norm
from paribus.models.dropout import StochasticDepth, dropout
from paribus.recipe.families.family import Residual
from paribus.recipe.families.family import SqueezeExcite as SqueezeExciteRecipe
from paribus.recipe.families.resnet import Order, Projection, Shortcut


@dataclass(frozen=True)
class ConvSpec:
    """One conv of a branch, to `channels`; a family whose convs are of another kind overrides `layer`."""

    kernel: int
    channels: int
    stride: int = 1
    groups: int = 1

    def layer(self, in_channels: int, bias: bool) -> nn.Module:
        return conv(in_channels, self.channels, self.kernel, self.stride, bias, groups=self.groups)


class Around(NamedTuple):
    """Where batch norm (B) and ReLU (R) lie: before the first conv, between convs, after the last, after the sum.

    What lies first serves the shortcut too, where it is `shared` and the shape changes.
    """

    first: str
    between: str
    last: str
    after: str
    shared: bool = True


# He et al. 2016b (arXiv 1603.05027), figure 4, (a) to (e).
ORDERS: dict[Order, Around] = {
    "original": Around("", "BR", "B", "R"),
    "bn_after_add": Around("", "BR", "", "BR"),
    "relu_before_add": Around("", "BR", "BR", ""),
    "relu_only_preactivation": Around("R", "BR", "B", ""),
    "preactivation": Around("BR", "BR", "", ""),
}


@dataclass(frozen=True, kw_only=True)
class Style:
    """How all units of a net are made, beside what `Residual` says: figure 4's order or another, the shortcut."""

    order: Order | Around
    shortcut: Shortcut = "identity"
    gate_bias: float = 0.0
    projection: Projection = "B"
    projection_kernel: int = 1  # where the shortcut strides
    activates_first: bool = False  # the net's first unit: its identity shortcut too reads what lies first

    @property
    def around(self) -> Around:
        return self.order if isinstance(self.order, Around) else ORDERS[self.order]


class Join(nn.Module):
    """`shortcut_scale * drop(shortcut) + residual_scale * keep(branch)`: the sum of every residual family.

    `keep` is stochastic depth, `scale` the unit's own, times the net's. Without a shortcut (`None`) it is the scaled
    branch alone.
    """

    def __init__(self, model: Residual, survival: float = 1.0, scale: float = 1.0) -> None:
        super().__init__()
        self.residual_scale, self.shortcut_scale = model.residual_scale * scale, model.shortcut_scale
        self.shortcut_drop = dropout(model.dropout, model.dropout_placement == "shortcut")
        leaves_out = survival < 1
        self.keep = StochasticDepth(1 - survival, model.stochastic_depth.mode) if leaves_out else nn.Identity()

    def forward(self, shortcut: Tensor | None, branch: Tensor) -> Tensor:
        branch = self.keep(branch)
        if shortcut is None:
            return branch if self.residual_scale == 1 else branch * self.residual_scale
        shortcut = self.shortcut_drop(shortcut)
        if self.shortcut_scale != 1:
            shortcut = shortcut * self.shortcut_scale
        return torch.add(shortcut, branch, alpha=self.residual_scale)

    def extra_repr(self) -> str:
        return f"residual_scale={self.residual_scale:g}, shortcut_scale={self.shortcut_scale:g}"


class Pad(nn.Module):
    """Option A (He et al. 2016a, section 3.3): every `stride`-th pixel, or their average, and zeros as new channels.

    (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, more_channels: int, stride: int, pool: bool) -> None:
        super().__init__()
        self.more_channels, self.stride, self.pool = more_channels, stride, pool

    def forward(self, x: Tensor) -> Tensor:
        if self.pool and self.stride > 1:
            x = F.avg_pool2d(x, self.stride, ceil_mode=True, count_include_pad=False)
        elif self.stride > 1:
            x = x[:, :, :: self.stride, :: self.stride]
        # A width multiplier can round two stages to falling widths; then the last channels go.
        return F.pad(x, (0, 0, 0, 0, 0, self.more_channels))


class Excited(nn.Module):
    """A module with squeeze-and-excitation at one of its places, or at none."""

    def excite(self, recipe: SqueezeExciteRecipe, stage: int, channels: int, **elsewhere: int) -> None:
        """Have it where `recipe` says for `stage`, on `channels`; `elsewhere` gives those of places that differ."""
        self.place = recipe.place if recipe.at(stage) else "none"
        width = elsewhere.get(self.place, channels)
        self.se = excitation(width, recipe) if self.place != "none" else nn.Identity()

    def excited(self, place: str, x: Tensor) -> Tensor:
        """`x` excited where this is the place, and as it is at all others."""
        found: Tensor = self.se(x) if self.place == place else x
        return found


class Unit(Excited):
    """`y = after(join(shortcut(x), f(x)))` with f the `convs`, and norms and ReLUs around them as `style` orders.

    Where norm-ReLU comes first and the shape changes, it serves the branch and the shortcut (He et al. 2016b, appendix;
    WRN, section 2.1). Dropout in the branch lies between the convs (WRN, section 2.4), or before a lone one. With a
    `pool_stride` the branch ends in a 3x3 max pool at that stride (Chollet 2017, figure 5). `stage` counts from 1.
    (N, in, H, W) to (N, out, H / strides, W / strides).
    """

    def __init__(
        self,
        model: Residual,
        style: Style,
        in_channels: int,
        convs: Sequence[ConvSpec],
        *,
        stage: int,
        survival: float,
        pool_stride: int = 1,
    ) -> None:
        super().__init__()
        around, bias = style.around, model.norm == "none"
        in_branch = model.dropout_placement == "branch"
        self.pre, self.drops, self.convs = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        channels, stride = in_channels, pool_stride
        for index, spec in enumerate(convs):
            tokens, inplace = ("BR", True) if index else (around.first, None)
            self.pre.append(NormAct(model.norm, channels, tokens, inplace=inplace, act=model.activation))
            self.drops.append(dropout(model.dropout, in_branch and (index > 0 or len(convs) == 1)))
            self.convs.append(spec.layer(channels, bias))
            channels, stride = spec.channels, stride * spec.stride
        self.last = NormAct(model.norm, channels, around.last, inplace=True, act=model.activation)
        self.pool = nn.MaxPool2d(3, pool_stride, padding=1) if pool_stride > 1 else nn.Identity()
        self.projection = _shortcut(model, style, in_channels, channels, stride)
        shares = bool(around.first) and around.shared
        changes = not isinstance(self.projection, nn.Identity)
        self.shortcut_activated = shares and (changes or style.activates_first)
        self.gate = _gate(style, in_channels, channels, stride)
        self.branch_gated = style.shortcut == "exclusive_gate"
        self.join = Join(model, survival)
        self.after = NormAct(model.norm, channels, around.after, inplace=True, act=model.activation)
        # Inside: behind the 3x3 conv (table 14), the last one but the block's own last conv.
        self.inside = max((at for at, spec in enumerate(convs[:-1]) if spec.kernel > 1), default=0)
        self.excite(model.se, stage, channels, pre=in_channels, inside=convs[self.inside].channels)

    def forward(self, x: Tensor) -> Tensor:
        first = self.pre[0](x)
        branch = self.convs[0](self.drops[0](self.excited("pre", first)))
        for index in range(1, len(self.convs)):
            branch = self.pre[index](branch)
            if index == self.inside + 1:
                branch = self.excited("inside", branch)
            branch = self.convs[index](self.drops[index](branch))
        branch = self.excited("standard", self.pool(self.last(branch)))
        shortcut = self._shortcut(x, first)
        if self.gate is not None:
            gate = torch.sigmoid(self.gate(x))
            shortcut = None if shortcut is None else shortcut * (1 - gate)
            branch = branch * gate if self.branch_gated else branch
        return self.excited("post", self.after(self.join(shortcut, branch)))

    def _shortcut(self, x: Tensor, first: Tensor) -> Tensor | None:
        if self.projection is None:
            return None
        return self.excited("identity", self.projection(first if self.shortcut_activated else x))


def _shortcut(model: Residual, style: Style, in_channels: int, channels: int, stride: int) -> nn.Module | None:
    """The shortcut's path: None where the recipe leaves it out."""
    if model.shortcut_scale == 0:
        return None
    if style.projection != "C" and in_channels == channels and stride == 1:
        return nn.Identity()
    if style.projection in ("A", "A_pool"):
        return Pad(channels - in_channels, stride, pool=style.projection == "A_pool")
    projection = conv(in_channels, channels, style.projection_kernel if stride > 1 else 1, stride)
    if "B" in style.around.last:
        return nn.Sequential(projection, norm(model.norm, channels))
    return projection


def _gate(style: Style, in_channels: int, channels: int, stride: int) -> nn.Module | None:
    if style.shortcut == "identity":
        return None
    gate = conv(in_channels, channels, 1, stride, bias=True)
    gate.initial_bias = style.gate_bias
    return gate
