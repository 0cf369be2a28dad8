"""The layers that a recipe chooses by name: activation, normalisation, attention; ours, torch's or a user's own."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.keyed_draws import keyed
from paribus.recipe.components.component import Value, arguments_of, kind_of
from paribus.recipe.components.own import call, is_own, load
from paribus.recipe.errors import RecipeError

# The attribute of a module from outside that makes another like it, whose values it starts with (initialise.py).
REMAKE = "paribus_remake"


class FilterResponseNorm(nn.Module):
    """`weight * x / sqrt(mean_HW(x^2) + eps) + bias` (Singh and Krishnan 2020, arXiv 1911.09737, equation 1)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        square = x.square().mean((2, 3), keepdim=True)
        return torch.addcmul(_wide(self.bias), _wide(self.weight), x * torch.rsqrt(square + self.eps))


class TLU(nn.Module):
    """`max(x, threshold)`, one learned threshold a channel, from 0 on (the same paper, equation 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.threshold = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(x, self.threshold.view(1, -1, *[1] * (x.ndim - 2)))


class ECA(nn.Module):
    """`x * sigmoid(conv1d(mean_HW(x)))`, the conv over neighbouring channels; shape kept."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.conv(x.mean((2, 3))[:, None])[:, 0]
        return x * torch.sigmoid(mixed[:, :, None, None])


class CBAM(nn.Module):
    """`y = x * sigmoid(mlp(mean(x)) + mlp(max(x)))`, then `y * sigmoid(conv([mean_C(y), max_C(y)]))`; shape kept."""

    def __init__(self, channels: int, ratio: int, kernel: int) -> None:
        super().__init__()
        hidden = max(1, channels // ratio)
        self.reduce, self.expand = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)
        self.spatial = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        means, peaks = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        y = x * torch.sigmoid(self._mlp(means) + self._mlp(peaks))
        maps = torch.cat((y.mean(1, keepdim=True), y.amax(1, keepdim=True)), 1)
        return y * torch.sigmoid(self.spatial(maps))

    def _mlp(self, x: Tensor) -> Tensor:
        expanded: Tensor = self.expand(F.relu(self.reduce(x)))
        return expanded


_ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "relu": lambda channels: nn.ReLU(),
    "gelu": lambda channels: nn.GELU(),
    "silu": lambda channels: nn.SiLU(),
    "leaky_relu": lambda channels, negative_slope: nn.LeakyReLU(negative_slope),
    "mish": lambda channels: nn.Mish(),
    "elu": lambda channels, alpha: nn.ELU(alpha),
    "selu": lambda channels: nn.SELU(),
    "prelu": lambda channels, initial: nn.PReLU(channels, initial),
    "relu6": lambda channels: nn.ReLU6(),
    "hardswish": lambda channels: nn.Hardswish(),
    "softplus": lambda channels: nn.Softplus(),
    "tanh": lambda channels: nn.Tanh(),
    "tlu": TLU,
}
_NORMS: dict[str, Callable[..., nn.Module]] = {
    "group": lambda channels, eps, groups: nn.GroupNorm(largest_divisor(channels, groups), channels, eps),
    "layer": lambda channels, eps: nn.GroupNorm(1, channels, eps),
    "instance": lambda channels, eps: nn.GroupNorm(channels, channels, eps),
    "filter_response": lambda channels, eps: FilterResponseNorm(channels),
}
_ATTENTIONS: dict[str, Callable[..., nn.Module]] = {
    "eca": lambda channels, kernel: ECA(kernel),
    "cbam": CBAM,
}


def activation(value: Value, channels: int) -> nn.Module:
    """The activation for a map of `channels`; shape kept."""
    return _made(value, "activation", _ACTIVATIONS, {}, channels)


def norm(value: Value, channels: int, eps: float = 1e-5) -> nn.Module:
    """The norm for a map of `channels` (N, C, H, W), shape kept; nothing where it is "none".

    `layer` is over (C, H, W) of an image, `instance` over (H, W) of a channel: group norm with one group, or C.
    """
    if value == "batch":
        return nn.BatchNorm2d(channels, eps=eps)
    if value in ("none", "lrn"):
        return nn.Identity()
    return _made(value, "norm", _NORMS, {} if is_own(kind_of(value)) else {"eps": eps}, channels)


def attention(value: Value, channels: int) -> nn.Module:
    """The attention module for a map of `channels`, other than squeeze-and-excitation; shape kept."""
    return _made(value, "attention", _ATTENTIONS, {}, channels)


def own(value: Value, place: str, channels: int) -> nn.Module:
    """A user's module. Its values are set by `initialise`, which makes another like it; so it may be built anywhere."""
    kind, chosen = kind_of(value), arguments_of(value)
    target = load(kind, place)

    def make() -> nn.Module:
        given = dict.fromkeys(("channels", "num_channels", "num_features"), channels)
        module = call(target, given, chosen)
        if not isinstance(module, nn.Module):
            raise RecipeError(f"{place} {kind!r} makes a {type(module).__name__}: it should make a torch.nn.Module")
        return module

    return marked(make)


def marked(make: Callable[[], nn.Module]) -> nn.Module:
    """A module of `make`, which knows how to be made again."""
    # On the CPU, for a constructor may look at what it has drawn; where shapes alone are wanted, it goes there then.
    with torch.device("cpu"), keyed(0):
        module = make()
    module.to(torch.get_default_device())
    module.__dict__[REMAKE] = make
    return module


def largest_divisor(channels: int, groups: int) -> int:
    """The largest number of groups, at most `groups`, into which `channels` divide."""
    return next(count for count in range(min(groups, channels), 0, -1) if channels % count == 0)


def _made(
    value: Value, place: str, table: dict[str, Callable[..., nn.Module]], given: dict[str, Any], channels: int
) -> nn.Module:
    kind = kind_of(value)
    if is_own(kind):
        return own(value, place, channels)
    make, chosen = table[kind], arguments_of(value)
    if kind in ("prelu", "tlu", "filter_response", "eca", "cbam"):
        return marked(lambda: make(channels, **given, **chosen))
    return make(channels, **given, **chosen)


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None]
