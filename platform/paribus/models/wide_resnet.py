"""Wide ResNets for small images: WRN-n-k of Zagoruyko and Komodakis 2016 (arXiv 1605.07146), Table 1 and Figure 1."""

from collections.abc import Iterator

from torch import Tensor, nn

from paribus.models.blocks import ConvNet, Head, NormAct, add, conv, dropout
from paribus.recipe.model import WideResNet

_STEM_CHANNELS = 16
_BASE_WIDTHS = (16, 32, 64)


def widened(base: int, width: float) -> int:
    """`base * width` channels, to the nearest whole number (halves up), at least 1."""
    return max(1, int(base * width + 0.5))


class Unit(nn.Module):
    """`y = shortcut(x) + scale * f(x)`, where f is norm-ReLU-conv for every kernel of B(M) (section 2.1).

    The first conv strides. Where the shape changes, the first norm-ReLU serves the branch and the shortcut, and the
    shortcut is a 1x1 conv without norm; elsewhere it is x itself. (N, in, H, W) to (N, out, H / stride, W / stride).
    """

    def __init__(self, model: WideResNet, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        assert model.block != "bottleneck", "the recipe keeps bottlenecks to the imagenet stem"
        kernels = model.block
        self.scale = model.residual_scale
        in_branch = model.dropout_placement == "branch"
        self.preacts, self.drops, self.convs = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for index, kernel in enumerate(kernels):
            channels = in_channels if index == 0 else out_channels
            self.preacts.append(NormAct(model.norm, channels))
            # Between the convs (section 2.4), as in wide-resnet.lua; a lone conv has no between, so it is before it.
            self.drops.append(dropout(model.dropout, in_branch and (index > 0 or len(kernels) == 1)))
            self.convs.append(
                conv(channels, out_channels, kernel, stride if index == 0 else 1, bias=model.norm == "none")
            )
        # At tiny fractional k two stages can round to one width; the shortcut must stride with the branch all the same.
        reshapes = in_channels != out_channels or stride != 1
        self.projection = conv(in_channels, out_channels, 1, stride) if reshapes else None
        self.shortcut_drop = dropout(model.dropout, model.dropout_placement == "shortcut")

    def forward(self, x: Tensor) -> Tensor:
        layers = zip(self.preacts, self.drops, self.convs, strict=True)
        preact, drop, conv_ = next(layers)
        first = preact(x)
        shortcut = x if self.projection is None else self.projection(first)
        branch = conv_(drop(first))
        for preact, drop, conv_ in layers:
            branch = conv_(drop(preact(branch)))
        return add(self.shortcut_drop(shortcut), branch, self.scale)


class SmallWideResNet(ConvNet):
    """conv1 3x3 16 (never widened), three stages of N units at 16k, 32k, 64k, then norm-ReLU-pool-classifier (Table 1).

    Images (N, in_channels, H, W) of any side from 1; the stages keep, halve and halve it again.
    """

    def __init__(self, model: WideResNet, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = conv(in_channels, _STEM_CHANNELS, 3, bias=model.norm == "none")
        self.stages = nn.ModuleList()
        channels = _STEM_CHANNELS
        for base, num_units, stride in zip(_BASE_WIDTHS, model.num_units, (1, 2, 2), strict=True):
            width = widened(base, model.width)
            self.stages.append(nn.Sequential(*_stage(model, channels, width, num_units, stride)))
            channels = width
        self.last = NormAct(model.norm, channels)
        self.head = Head(channels, num_classes, model.dropout if model.dropout_placement == "head" else 0.0)

    def pooled(self, images: Tensor) -> Tensor:
        x = self.conv1(images)
        for stage in self.stages:
            x = stage(x)
        pooled: Tensor = self.last(x).mean((2, 3))
        return pooled


def _stage(model: WideResNet, channels: int, width: int, num_units: int, stride: int) -> Iterator[Unit]:
    for index in range(num_units):
        yield Unit(model, channels if index == 0 else width, width, stride if index == 0 else 1)
