"""Network in Network (Lin et al. 2014, arXiv 1312.4400, figure 2): convs whose filter is a small net of 1x1 convs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from paribus.models.blocks import ConvNet, ConvNormAct, Head
from paribus.models.deterministic import AverageTo
from paribus.models.dropout import dropout
from paribus.models.families.inception_blocks import CBR, Branch, Layout, Pool, pool
from paribus.recipe.families.nin import NIN

_GRID = 8  # Side of the map that the fully connected layer of table 5 reads.


class MlpConv(nn.Module):
    """A k x k conv, then 1x1 convs, a ReLU after each; a pool and dropout before them where it is not the first.

    (N, in, H, W) to (N, out, H', W').
    """

    def __init__(
        self, layout: Layout, in_channels: int, kernel: int, channels: Sequence[int], before: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.before = nn.Sequential(*before)
        self.convs = Branch(
            layout, in_channels, [CBR(kernel if at == 0 else 1, out) for at, out in enumerate(channels)]
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.convs(self.before(x))
        return found


class NetworkInNetwork(ConvNet):
    """mlpconvs, then the head: the average of one map a class, a fully connected layer on such maps, or a classifier.

    Where the head is the average, `pooled` are the logits and what follows is the identity.
    """

    def __init__(self, model: NIN, in_channels: int, num_classes: int) -> None:
        super().__init__()
        # Every conv of the releases has a bias, with batch norm too.
        layout = Layout(width=model.width, norm=model.norm, act=model.activation, bias=True)
        self.mlpconvs = nn.ModuleList()
        for at, (kernel, widths) in enumerate(zip(model.kernels, model.mlpconvs, strict=True)):
            before = [pool(Pool(model.pools[at - 1], 3, 2, "ceil")), dropout(model.dropout, here=True)] if at else []
            layer = MlpConv(layout, in_channels, kernel, widths, before)
            self.mlpconvs.append(layer)
            in_channels = layer.convs.channels
        self.scores: nn.Module = nn.Identity()
        if model.head != "linear":
            self.scores = ConvNormAct(in_channels, num_classes, 1, norm="none", act=model.activation)
            in_channels = num_classes
        self.grid: nn.Module | None = None
        if model.head == "connected":
            self.grid = AverageTo(_GRID)
            in_channels *= _GRID**2
        self.head = nn.Identity() if model.head == "average" else Head(in_channels, num_classes, model.head_dropout)

    def pooled(self, images: Tensor) -> Tensor:
        x = images
        for layer in self.mlpconvs:
            x = layer(x)
        x = self.scores(x)
        return torch.mean(x, (2, 3)) if self.grid is None else torch.flatten(self.grid(x), 1)


def nin(model: NIN, in_channels: int, num_classes: int) -> NetworkInNetwork:
    """Images (N, in_channels, H, W) of any side from `model.min_size` to logits."""
    return NetworkInNetwork(model, in_channels, num_classes)
