"""Components of one's own, each at most 20 lines: name them in a study beside this file as "my_parts:Snake"."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.metrics.examples import Examples
from paribus.metrics.metric import Metric


class Snake(nn.Module):
    """`x + sin(alpha x)^2 / alpha`, alpha learned per channel (Ziyin et al. 2020, arXiv 2006.08195)."""

    def __init__(self, channels: int, alpha: float = 1.0) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full((channels, 1, 1), alpha))

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sin(self.alpha * x).square() / self.alpha


class RMSNorm(nn.Module):
    """`weight * x / sqrt(mean_C(x^2) + eps)` at every pixel (Zhang and Sennrich 2019, arXiv 1910.07467)."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps, self.weight = eps, nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x * torch.rsqrt(x.square().mean(1, keepdim=True) + self.eps)


class SpatialGate(nn.Module):
    """Attention over pixels: `x * sigmoid(conv(mean_C(x)))`."""

    def __init__(self, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.conv(x.mean(1, keepdim=True)))


class Separable(nn.Sequential):
    """A block, the branch of a residual unit: depthwise 3x3 at `stride`, batch norm, ReLU, 1x1 to `channels`."""

    def __init__(self, in_channels: int, channels: int, stride: int, expand: int = 1) -> None:
        wide = in_channels * expand
        depthwise = nn.Conv2d(in_channels, wide, 3, stride, 1, groups=in_channels, bias=False)
        super().__init__(depthwise, nn.BatchNorm2d(wide), nn.ReLU(), nn.Conv2d(wide, channels, 1, bias=False))


def poly_loss(logits: Tensor, targets: Tensor, epsilon: float = 1.0) -> Tensor:
    """Poly-1 (Leng et al. 2022, arXiv 2204.12511): cross-entropy + epsilon (1 - p of the label), one an example."""
    likely = targets if targets.ndim == 2 else F.one_hot(targets, logits.shape[1]).float()
    return F.cross_entropy(logits, targets, reduction="none") + epsilon * (1 - (likely * logits.softmax(1)).sum(1))


def poly_rate(done: float, power: float = 2.0) -> float:
    """A schedule: `(1 - done)^power` of the optimizer's rate, `done` the part of the budget from 0 to 1."""
    return (1 - done) ** power


class Grain:
    """An augmentation of one image (C, H, W) uint8: grain of `sd` grey levels. Draw with torch, and that is all."""

    def __init__(self, sd: float = 8.0) -> None:
        self.sd = sd

    def __call__(self, image: Tensor) -> Tensor:
        return (image + self.sd * torch.randn(image.shape)).clamp(0, 255).to(torch.uint8)


def pairwise(images: Tensor, labels: Tensor, num_classes: int, share: float = 0.8) -> tuple[Tensor, Tensor]:
    """A mix: each image with a share of the next one; images (N, C, H, W), labels (N,) to probabilities (N, K)."""
    targets = F.one_hot(labels, num_classes).float()
    return images.lerp(images.roll(1, 0), 1 - share), targets.lerp(targets.roll(1, 0), 1 - share)


class SignSGD(torch.optim.Optimizer):
    """`w -= lr (sign(g) + weight_decay w)` (Bernstein et al. 2018, arXiv 1802.04434)."""

    def __init__(self, params, lr: float = 1e-3, weight_decay: float = 0.0) -> None:  # type: ignore[no-untyped-def]
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for each in group["params"]:
                each.sub_(each.grad.sign() + group["weight_decay"] * each, alpha=group["lr"])


def macro_f1() -> Metric:
    """A metric, the same shape as those of paribus/metrics: the mean over classes of `2 TP / (2 TP + FP + FN)`."""

    def overall(examples: Examples) -> float:
        label, predicted = examples.column("label"), examples.column("predicted")
        classes = np.union1d(label, predicted)[:, None]
        right = ((label == classes) & (predicted == classes)).sum(1)
        return 100 * float(np.mean(2 * right / ((label == classes).sum(1) + (predicted == classes).sum(1))))

    return Metric(
        name="macro_f1",
        short="macro F1",
        label="macro-averaged F1",
        unit="points",
        sd=0.8,
        needs=("label", "predicted"),
        overall=overall,
    )
