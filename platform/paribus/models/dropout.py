"""What is left out at random in training, by masks that are functions of (dropout seed, step, layer name) alone."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from paribus.recipe.seeds import key


class Rows(NamedTuple):
    """Where a rank's share of a batch lies in it: its `first` row (0-based) and how many rows the whole batch has."""

    first: int
    total: int


@torch.library.custom_op("paribus::bernoulli", mutates_args=())
def bernoulli(like: Tensor, chance: float, seed: Tensor) -> Tensor:
    """Ones with the probability `chance`, and zeros, of the shape, type and device of `like`, by the number in `seed`.

    An operator of its own, because compiled graphs take no generator: so dropout does not break them in two. It has no
    derivative, so that what needs one is detached first.
    """
    generator = torch.Generator(like.device).manual_seed(int(seed))
    drawn = torch.empty(like.shape, dtype=like.dtype, device=like.device).bernoulli_(chance, generator=generator)
    # Filled in the order of the indices, whatever the layout: so channels_last has the same masks.
    return drawn if drawn.stride() == like.stride() else torch.empty_like(like).copy_(drawn)


@bernoulli.register_fake
def _(like: Tensor, chance: float, seed: Tensor) -> Tensor:
    return torch.empty_like(like)


class Masked(nn.Module):
    """A layer that draws a mask in training, by a seed of its own.

    `seed_dropout` must have named the step before a training pass, and RuntimeError says so where it has not: so a
    resumed run draws the masks that it would have drawn.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        # No buffer, which would follow the net to the GPU: the seed is read on the host, where that waits for nothing.
        self.seed: Tensor | None = None
        self.rows: Rows | None = None

    def mask(self, like: Tensor, whole: bool = False) -> Tensor:
        """Ones and, with the probability `rate`, zeros, in the shape of `like`: these rows of the whole batch's mask.

        `whole` where `like` has no row for each image.
        """
        if self.seed is None:
            raise RuntimeError("dropout in training mode has no mask seed: call dropout_layers, then seed_dropout")
        if whole or self.rows is None:
            drawn: Tensor = bernoulli(like.detach(), 1 - self.rate, self.seed)
            return drawn
        # All are drawn and most thrown away: a generator cannot begin in the middle, and drawing is cheap.
        everyone = bernoulli(like.detach().new_empty((self.rows.total, *like.shape[1:])), 1 - self.rate, self.seed)
        return torch.empty_like(like).copy_(everyone[self.rows.first : self.rows.first + len(like)])

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}"


class Dropout(Masked):
    """Inverted dropout, `x * m / (1 - rate)` with `m` Bernoulli(1 - rate); the identity in evaluation."""

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask(x).mul_(1 / (1 - self.rate)) if self.training else x


class StochasticDepth(Masked):
    """`m * x` with `m` Bernoulli(1 - rate), one for the batch or one for each image (row); `(1 - rate) * x` in
    evaluation (Huang et al. 2016, equation 5)."""

    def __init__(self, rate: float, mode: Literal["batch", "row"]) -> None:
        super().__init__(rate)
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x * (1 - self.rate)
        if self.mode == "batch":
            return x * self.mask(x.new_empty((1, 1, 1, 1)), whole=True)
        return x * self.mask(x.new_empty((len(x), 1, 1, 1)))


def dropout(rate: float, here: bool) -> nn.Module:
    """Dropout where the recipe places it and the rate is not 0, else the identity."""
    return Dropout(rate) if here and rate > 0 else nn.Identity()


def dropout_layers(net: nn.Module) -> dict[str, Masked]:
    """The layers of `net` that draw masks, by name, each with a seed to set."""
    layers = {name: layer for name, layer in net.named_modules() if isinstance(layer, Masked)}
    for layer in layers.values():
        layer.seed = torch.zeros((), dtype=torch.int64)
    return layers


def seed_dropout(layers: Mapping[str, Masked], dropout_seed: int, step: int, rows: Rows | None = None) -> None:
    """Point every layer at the masks of `step`; where a batch is shared, at its own `rows` of them."""
    for name, layer in layers.items():
        assert layer.seed is not None
        layer.rows = rows
        layer.seed.fill_(key(dropout_seed, step, name))
