"""Wide ResNets for ImageNet: the four-stage, post-activation nets of WRN (arXiv 1605.07146), Tables 7 and 8."""

from torch import Tensor, nn
from torch.nn import functional as F

from paribus.models.blocks import ConvNet, Head, NormAct, add, conv, dropout, norm
from paribus.models.wide_resnet import widened
from paribus.recipe.model import WideResNet

_STEM_CHANNELS = 64
_BASE_WIDTHS = (64, 128, 256, 512)
_EXPANSION = 4


class PostUnit(nn.Module):
    """`y = relu(shortcut(x) + scale * f(x))`, where f is conv-norm-ReLU-...-conv-norm (He et al. 2016, Figure 5).

    Where the shape changes, the shortcut is a 1x1 conv with norm; elsewhere it is x itself. `convs` lists
    (kernel, out channels, stride) of f.
    """

    def __init__(self, model: WideResNet, in_channels: int, convs: list[tuple[int, int, int]]) -> None:
        super().__init__()
        bias = model.norm == "none"
        self.scale = model.residual_scale
        self.convs, self.norms, self.drops = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        channels, total_stride = in_channels, 1
        for index, (kernel, width, stride) in enumerate(convs):
            self.convs.append(conv(channels, width, kernel, stride, bias))
            self.norms.append(norm(model.norm, width))
            self.drops.append(dropout(model.dropout, model.dropout_placement == "branch" and index > 0))
            channels, total_stride = width, total_stride * stride
        self.projection: nn.Module | None = None
        if in_channels != channels or total_stride != 1:
            self.projection = nn.Sequential(conv(in_channels, channels, 1, total_stride), norm(model.norm, channels))
        self.shortcut_drop = dropout(model.dropout, model.dropout_placement == "shortcut")

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.projection is None else self.projection(x)
        layers = zip(self.convs, self.norms, self.drops, strict=True)
        conv_, norm_, _ = next(layers)
        branch = norm_(conv_(x))
        for conv_, norm_, drop in layers:
            branch = norm_(conv_(drop(F.relu(branch, inplace=True))))
        return F.relu(add(self.shortcut_drop(shortcut), branch, self.scale), inplace=True)


class ImageNetWideResNet(ConvNet):
    """7x7/2 64 (never widened), pool 3x3/2, four stages at 64k, 128k, 256k, 512k, pool, classifier.

    Basic blocks widen every stage (Table 7); bottlenecks widen their two inner convs alone and stride on the 3x3
    (Table 8). Images (N, in_channels, H, W) of any side from 1, of 224 in the paper.
    """

    def __init__(self, model: WideResNet, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, _STEM_CHANNELS, 7, 2, padding=3, bias=model.norm == "none")
        self.first = NormAct(model.norm, _STEM_CHANNELS)
        self.stages = nn.ModuleList()
        channels = _STEM_CHANNELS
        for base, num_units, first_stride in zip(_BASE_WIDTHS, model.num_units, (1, 2, 2, 2), strict=True):
            units = nn.Sequential()
            for index in range(num_units):
                convs = _convs(model, base, first_stride if index == 0 else 1)
                units.append(PostUnit(model, channels, convs))
                channels = convs[-1][1]
            self.stages.append(units)
        self.head = Head(channels, num_classes, model.dropout if model.dropout_placement == "head" else 0.0)

    def pooled(self, images: Tensor) -> Tensor:
        x = F.max_pool2d(self.first(self.conv1(images)), 3, 2, padding=1)
        for stage in self.stages:
            x = stage(x)
        return x.mean((2, 3))


def _convs(model: WideResNet, base: int, stride: int) -> list[tuple[int, int, int]]:
    """(kernel, out channels, stride) of one unit of the stage with base width `base`."""
    width = widened(base, model.width)
    if model.block == "bottleneck":
        return [(1, width, 1), (3, width, stride), (1, base * _EXPANSION, 1)]
    return [(3, width, stride), (3, width, 1)]
