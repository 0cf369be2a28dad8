"""The ablatable tricks of training, one pure function each."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def smoothed_loss(logits: Tensor, labels: Tensor, smoothing: float, total: int | None = None) -> Tensor:
    """Mean cross-entropy (nats) against `(1 - smoothing) * one-hot + smoothing / K` (Inception-v3, section 7).

    logits (N, K), labels (N,). Where these are a share of `total` rows, what they add to the mean over all of them.
    """
    if total is None:
        return F.cross_entropy(logits, labels, label_smoothing=smoothing)
    return F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum") / total


def gradient_norm(gradients: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all gradients together, a scalar on their device."""
    norms = [torch.linalg.vector_norm(gradient) for gradient in gradients]
    total: Tensor = norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms))
    return total


def clip(gradients: Sequence[Tensor], norm: Tensor, max_norm: float) -> None:
    """Scale `gradients` in place by `max_norm / norm` where their `norm` is larger (Inception-v3, section 8)."""
    factor = (max_norm / norm).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor)


def ema_decay_at(step: int, decay: float) -> float:
    """The decay of 0-based `step`: `min(decay, (1 + step) / (10 + step))`, so that early weights are soon forgotten.

    (tf.train.ExponentialMovingAverage with num_updates, which the Inception code used.)
    """
    return min(decay, (1 + step) / (10 + step))


@torch.no_grad()
def average(averaged: Sequence[Tensor], current: Sequence[Tensor], decay: float) -> None:
    """`averaged = decay * averaged + (1 - decay) * current`, in place; whole numbers, such as counters, are copied."""
    for mean, now in zip(averaged, current, strict=True):
        if mean.is_floating_point():
            mean.lerp_(now, 1 - decay)
        else:
            mean.copy_(now)
