"""The one vocabulary that every family is written in: conv, norm, act, dropout, add and head."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.recipe.seeds import key


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """`kernel` x `kernel` convolution, padded so that stride 1 keeps the size. (N, in, H, W) to (N, out, H', W')."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=bias)


def norm(kind: str, channels: int) -> nn.Module:
    """Batch norm, or nothing where `kind` is "none"; its convs then carry the shift as a bias."""
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.Identity()


class NormAct(nn.Module):
    """`relu(norm(x))`, shape kept."""

    def __init__(self, kind: str, channels: int) -> None:
        super().__init__()
        self.norm = norm(kind, channels)
        # Without a norm the ReLU would overwrite its own input, which the shortcut still needs.
        self.inplace = kind == "batch"

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(x), inplace=self.inplace)


def add(shortcut: Tensor, branch: Tensor, scale: float) -> Tensor:
    """`shortcut + scale * branch`, in one pass over memory."""
    return torch.add(shortcut, branch, alpha=scale)


class Dropout(nn.Module):
    """Inverted dropout, `x * m / (1 - rate)` with `m` Bernoulli(1 - rate) from a generator of its own.

    `seed_dropout` must have named the step before a training pass, and RuntimeError says so where it has not: a mask
    is a function of (dropout seed, step, layer name) alone, so that a resumed run draws the masks it would have drawn.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        return self._drop(x) if self.training else x

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # compiled graphs take no generator
    def _drop(self, x: Tensor) -> Tensor:
        if self.generator is None:
            raise RuntimeError("dropout in training mode has no mask seed: call dropout_layers, then seed_dropout")
        mask = torch.empty_like(x).bernoulli_(1 - self.rate, generator=self.generator)
        return x * mask.mul_(1 / (1 - self.rate))

    def extra_repr(self) -> str:
        return f"rate={self.rate}"


def dropout(rate: float, here: bool) -> nn.Module:
    """Dropout where the recipe places it and the rate is not 0, else the identity."""
    return Dropout(rate) if here and rate > 0 else nn.Identity()


def dropout_layers(net: nn.Module, device: torch.device) -> dict[str, Dropout]:
    """The dropout layers of `net` by name, each given a generator on `device`."""
    layers = {name: layer for name, layer in net.named_modules() if isinstance(layer, Dropout)}
    for layer in layers.values():
        layer.generator = torch.Generator(device)
    return layers


def seed_dropout(layers: Mapping[str, Dropout], dropout_seed: int, step: int) -> None:
    """Point every layer at the masks of `step`."""
    for name, layer in layers.items():
        assert layer.generator is not None
        layer.generator.manual_seed(key(dropout_seed, step, name))


class Head(nn.Module):
    """Dropout and the classifier: pooled features (N, C) to logits (N, classes)."""

    def __init__(self, channels: int, num_classes: int, rate: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout(rate, here=True)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, pooled: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


class ConvNet(nn.Module):
    """What every family is: `forward(images) = head(pooled(images))`.

    `pooled` maps images (N, C, H, W) to the global average pool of the last ReLU, (N, features): an entry is 0 only
    where that channel was dead for that image, so a net's death is read off it at no cost.
    """

    head: Head

    def pooled(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.pooled(images))
        return logits
