"""Layers that torch computes on a GPU in no way that is the same each time, computed there in one that is.

On a CPU they are torch's own. What torch has no deterministic algorithm for is listed at
docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html.
"""

import torch
from torch import Tensor, nn


class ResponseNorm(nn.LocalResponseNorm):
    """Local response normalisation (Krizhevsky et al. 2012, section 3.3), (N, C, H, W) to the same."""

    def forward(self, x: Tensor) -> Tensor:
        return self.as_rows(x) if x.is_cuda else super().forward(x)

    def as_rows(self, x: Tensor) -> Tensor:
        """Of images torch averages over channels by a pool in 3 dimensions; of rows (N, C, L) by one in 2."""
        return super().forward(x.flatten(2)).view_as(x)


class AverageTo(nn.AdaptiveAvgPool2d):
    """Average pool of a map of any size to `side` x `side`, (N, C, H, W) to (N, C, side, side)."""

    def __init__(self, side: int) -> None:
        super().__init__(side)
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        return average_by_products(x, self.side) if x.is_cuda else super().forward(x)


def average_by_products(x: Tensor, side: int) -> Tensor:
    """`F.adaptive_avg_pool2d(x, side)` as two matrix products, whose gradients are products too."""
    rows, columns = (_windows(length, side).to(x) for length in x.shape[2:])
    return rows @ x @ columns.T


def _windows(length: int, side: int) -> Tensor:
    """(side, length): what each pixel adds to each mean. Windows overlap where `side` does not divide `length`."""
    place = torch.arange(length)
    first = torch.arange(side) * length // side
    end = -(-(torch.arange(side) + 1) * length // side)
    inside = (place >= first[:, None]) & (place < end[:, None])
    return inside / inside.sum(1, keepdim=True)
