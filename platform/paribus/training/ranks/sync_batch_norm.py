"""Batch norm over a batch that is shared among ranks: statistics and gradients are those of the whole batch."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.training.ranks.group import Ranks

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def sync_batch_norms(net: nn.Module, ranks: Ranks) -> None:
    """Let every batch norm of `net` see the whole batch; parameters, buffers and their names stay.

    (torch's SyncBatchNorm does so on GPUs alone, where no test without one could tell whether it is right.)
    """
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, _NORMS):
                setattr(module, name, SyncBatchNorm(child, ranks))


class SyncBatchNorm(nn.Module):
    """`weight * (x - mean) / sqrt(var + eps) + bias` with mean and variance per channel of all ranks' rows together.

    (N, C, ...) to the same; N, which may differ between ranks, may be 0. In evaluation it is `norm` itself.
    """

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, ranks: Ranks) -> None:
        super().__init__()
        self.eps, self.momentum, self.ranks = norm.eps, norm.momentum, ranks
        self.weight, self.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers():
            self.register_buffer(name, buffer)

    def forward(self, x: Tensor) -> Tensor:
        running_mean, running_var = cast(Tensor, self.running_mean), cast(Tensor, self.running_var)
        if not self.training:
            return F.batch_norm(x, running_mean, running_var, self.weight, self.bias, eps=self.eps)
        y, mean, var, count = _normalise(x, self.weight, self.bias, self.eps, self.ranks)
        with torch.no_grad():
            if x.shape[2:].numel() == 1 and count < 2:  # elsewhere a look would have to wait for the device
                raise ValueError(f"batch norm needs more than one value per channel to train, and got {tuple(x.shape)}")
            cast(Tensor, self.num_batches_tracked).add_(1)
            running_mean.lerp_(mean, cast(float, self.momentum))
            running_var.lerp_(var * (count / (count - 1)), cast(float, self.momentum))
        return cast(Tensor, y)


class _Normalise(torch.autograd.Function):
    """One sum over the ranks forward, (rows, sum, sum of squares), and one back, (grad of bias, grad of weight)."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, ranks: Ranks
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        sums = _sums(x)
        ranks.add(sums)
        count = sums[0, 0]
        mean, square = sums[1] / count, sums[2] / count
        # In float64, where the difference of two large numbers costs nothing that float32 could hold.
        var = (square - mean * mean).clamp(min=0)
        mean, var, count = mean.float(), var.float(), count.float()
        ctx.save_for_backward(x, weight, mean, var, count)
        ctx.eps, ctx.ranks = eps, ranks
        ctx.mark_non_differentiable(mean, var, count)
        return F.batch_norm(x, mean, var, weight, bias, eps=eps), mean, var, count

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, var, count = ctx.saved_tensors
        direct, grad_weight, grad_bias = _as_if_constant(grad, x, weight, mean, var, ctx.eps)
        # The parameters' gradients stay this rank's own: the train state adds all gradients at once.
        total_bias, total_weight = total = torch.stack((grad_bias, grad_weight))
        ctx.ranks.add(total)
        root = torch.rsqrt(var + ctx.eps)
        slope = weight * root * root * total_weight / count
        offset = weight * root * total_bias / count - slope * mean
        shape = (1, -1, *[1] * (x.ndim - 2))
        through_statistics = x * slope.view(shape) + offset.view(shape)
        return (direct - through_statistics).to(x.dtype), grad_weight, grad_bias, None, None


# Compiled graphs end here: they may change the order of what does not depend on each other, and ranks must talk in one.
@torch.compiler.disable  # type: ignore[untyped-decorator]
def _normalise(x: Tensor, weight: Tensor, bias: Tensor, eps: float, ranks: Ranks) -> tuple[Tensor, ...]:
    return cast(tuple[Tensor, ...], _Normalise.apply(x, weight, bias, eps, ranks))


def _sums(x: Tensor) -> Tensor:
    """(3, C) float64 over this rank's rows: how many values, their sum, their sum of squares."""
    channels = x.shape[1]
    if not x.numel():
        return torch.zeros(3, channels, dtype=torch.float64, device=x.device)
    var, mean = (each.double() for each in torch.var_mean(x.float(), [0, *range(2, x.ndim)], correction=0))
    count = torch.full_like(mean, x.numel() // channels)
    return torch.stack((count, count * mean, count * (var + mean * mean)))


def _as_if_constant(
    grad: Tensor, x: Tensor, weight: Tensor, mean: Tensor, var: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of input, weight and bias as if `mean` and `var` did not depend on the input: evaluation's kernel."""
    if not x.numel():
        return torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(weight)
    root = torch.rsqrt(var + eps)
    found = torch.ops.aten.native_batch_norm_backward(
        grad, x, weight, mean, var, mean, root, False, eps, [True, True, True]
    )
    return cast(tuple[Tensor, Tensor, Tensor], found)
