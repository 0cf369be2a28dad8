"""What Inception-v1 and Inception-v2 share: the stem, a module from a row of their tables, the auxiliary heads."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from torch import nn

from paribus.models.blocks import Head
from paribus.models.deterministic import ResponseNorm
from paribus.models.families.inception_blocks import (
    CBR,
    Auxiliary,
    Chain,
    InceptionModule,
    InceptionNet,
    Layout,
    Pool,
    PoolTo,
    Step,
    cbr,
    pool,
)
from paribus.recipe.families.googlenet import AuxiliaryHeads, GoogLeNet


class Row(NamedTuple):
    """A module as table 1 of GoogLeNet and figure 5 of BN-Inception print it; a number of 0 is no conv."""

    one: int  # #1x1
    reduce_3: int
    three: int
    reduce_5: int
    five: int  # #5x5, or #double 3x3
    projection: int
    pool: Literal["max", "average"] = "max"
    stride: int = 1


def branches(row: Row, large_conv: str) -> list[list[Step]]:
    """1x1; 1x1 and 3x3; 1x1 and the large conv; pool and 1x1. Strided, the first goes and the pool passes through."""
    large: dict[str, Step] = {
        "5x5": CBR(5, row.five, row.stride),
        "3x3": CBR(3, row.five, row.stride),
        "two_3x3": Chain((CBR(3, row.five), CBR(3, row.five, row.stride))),
    }
    pooled = Pool(row.pool) if row.stride == 1 else Pool("max", 3, row.stride, "beside")
    made: list[list[Step]] = [
        [CBR(1, row.one)],
        [CBR(1, row.reduce_3), CBR(3, row.three, row.stride)],
        [CBR(1, row.reduce_5), large[large_conv]],
        [pooled, CBR(1, row.projection)],
    ]
    return made if row.stride == 1 else [made[1], made[2], [pooled]]


def googlenet(
    model: GoogLeNet,
    rows: Sequence[Sequence[Row]],
    pools: Mapping[str, Pool],
    eps: float,
    in_channels: int,
    num_classes: int,
) -> InceptionNet:
    """The net whose grids have `rows`, one for each module, and `pools` after the modules that they name."""
    layout = Layout(
        width=model.width,
        norm="none" if model.norm == "lrn" else model.norm,
        act=model.activation,
        eps=eps,
        bias=model.bias,
        se=model.se,
    )
    first, channels = stem(model, layout, in_channels)
    stages: dict[str, nn.Module] = {}
    sides: dict[str, Auxiliary] = {}
    grids = [(grid, row) for grid, part in enumerate(rows, start=1) for row in part]
    for name, (grid, row) in zip(model.modules, grids, strict=True):
        module = InceptionModule(layout, channels, branches(row, model.large_conv), grid)
        stages[name], channels = module, module.channels
        if name in model.auxiliary.at:
            sides[name] = auxiliary(model.auxiliary, layout, channels, num_classes)
        if name in pools:
            stages[f"pool{name[0]}"] = pool(pools[name])
    return InceptionNet(first, stages, Head(channels, num_classes, model.dropout), sides, model.auxiliary.weight)


def stem(model: GoogLeNet, layout: Layout, in_channels: int) -> tuple[nn.Module, int]:
    """7x7/2 64, pool, 1x1 64, 3x3 192, pool; at 3x3 and stride 1 and without the pools for small images."""
    large = model.stem == "imagenet"
    conv1 = cbr(layout, in_channels, CBR(7, 64, 2) if large else CBR(3, 64))
    conv2 = cbr(layout, conv1.conv.out_channels, CBR(1, 64))
    conv3 = cbr(layout, conv2.conv.out_channels, CBR(3, 192))
    parts: dict[str, nn.Module] = {
        "conv1": conv1,
        "pool1": pool(_SHRINK) if large else nn.Identity(),
        "norm1": response_norm(model),
        "conv2": conv2,
        "conv3": conv3,
        "norm2": response_norm(model),
        "pool2": pool(_SHRINK) if large else nn.Identity(),
    }
    return nn.Sequential(OrderedDict(parts)), conv3.conv.out_channels


_SHRINK = Pool("max", 3, 2, "ceil")


def response_norm(model: GoogLeNet) -> nn.Module:
    """Local response normalisation (Krizhevsky et al. 2012, section 3.3) at the settings of the Caffe release."""
    return ResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0) if model.norm == "lrn" else nn.Identity()


def auxiliary(heads: AuxiliaryHeads, layout: Layout, in_channels: int, num_classes: int) -> Auxiliary:
    """GoogLeNet, section 5: to 4x4, 1x1 128, fully connected 1024 as a conv that covers the 4x4, dropout, logits."""
    return Auxiliary(
        layout,
        in_channels,
        num_classes,
        CBR(4, 1024, padding="valid"),
        pool=PoolTo(4, always=heads.pool == "4x4"),
        norm=heads.norm,
        rate=heads.dropout,
    )


def counted(rows: Sequence[Row], count: int) -> list[Row]:
    """The first `count` rows, the last of them again where there are fewer."""
    return [rows[min(at, len(rows) - 1)] for at in range(count)]
