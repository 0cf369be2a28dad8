"""What is left out at random in training, by masks that are functions of (dropout seed, step, layer name) alone."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from paribus.recipe.seeds import key


class Masked(nn.Module):
    """A layer that draws a mask in training, from a generator of its own.

    `seed_dropout` must have named the step before a training pass, and RuntimeError says so where it has not: so a
    resumed run draws the masks that it would have drawn.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.generator: torch.Generator | None = None

    def mask(self, values: Tensor) -> Tensor:
        """Fill `values` in place with ones and, with the probability `rate`, zeros."""
        if self.generator is None:
            raise RuntimeError("dropout in training mode has no mask seed: call dropout_layers, then seed_dropout")
        return values.bernoulli_(1 - self.rate, generator=self.generator)

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}"


class Dropout(Masked):
    """Inverted dropout, `x * m / (1 - rate)` with `m` Bernoulli(1 - rate); the identity in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        return self._drop(x) if self.training else x

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # compiled graphs take no generator
    def _drop(self, x: Tensor) -> Tensor:
        return x * self.mask(torch.empty_like(x)).mul_(1 / (1 - self.rate))


class StochasticDepth(Masked):
    """`m * x` with `m` Bernoulli(1 - rate), one for the batch or one for each image (row); `(1 - rate) * x` in
    evaluation (Huang et al. 2016, equation 5)."""

    def __init__(self, rate: float, mode: Literal["batch", "row"]) -> None:
        super().__init__(rate)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        return self._drop(x) if self.training else x * (1 - self.rate)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # compiled graphs take no generator
    def _drop(self, x: Tensor) -> Tensor:
        return x * self.mask(x.new_empty((len(x) if self.mode == "row" else 1, 1, 1, 1)))


def dropout(rate: float, here: bool) -> nn.Module:
    """Dropout where the recipe places it and the rate is not 0, else the identity."""
    return Dropout(rate) if here and rate > 0 else nn.Identity()


def dropout_layers(net: nn.Module, device: torch.device) -> dict[str, Masked]:
    """The layers of `net` that draw masks, by name, each given a generator on `device`."""
    layers = {name: layer for name, layer in net.named_modules() if isinstance(layer, Masked)}
    for layer in layers.values():
        layer.generator = torch.Generator(device)
    return layers


def seed_dropout(layers: Mapping[str, Masked], dropout_seed: int, step: int) -> None:
    """Point every layer at the masks of `step`."""
    for name, layer in layers.items():
        assert layer.generator is not None
        layer.generator.manual_seed(key(dropout_seed, step, name))
