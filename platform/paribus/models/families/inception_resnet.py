"""Inception-ResNet v1 and v2 (Szegedy et al. 2017, arXiv 1602.07261), figures 3, 7 and 10 to 20."""

from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn

from paribus.models.blocks import Activated, ConvNormAct, Head, Linear, norm, widened
from paribus.models.dropout import dropout
from paribus.models.families.inception_blocks import CBR, Branch, Fork, InceptionModule, InceptionNet, Layout, Step, cbr
from paribus.models.families.inception_v4 import AVERAGE, HALVING, Table, figure_3, figure_7, for_small_images, valid
from paribus.models.residual import Excited, Join
from paribus.recipe.families.inception_resnet import InceptionResNet

_EPS = 1e-3
_LAST_CONV, _EMBEDDING = 1536, 512  # of the released v2 and v1

# Inception-v3's, from 299 pixels to 71x71x192.
_V3_STEM: tuple[Step, ...] = (valid(32, stride=2), valid(32), CBR(3, 64), HALVING, CBR(1, 80), valid(192))
# The stem of v1, to 35x35x256.
_FIGURE_14 = (*_V3_STEM, valid(256, stride=2))
# "Mixed 5b", which ends the released stem of v2, to 35x35x320.
_MIXED_5B = Fork(
    (
        (CBR(1, 96),),
        (CBR(1, 48), CBR(5, 64)),
        (CBR(1, 64), CBR(3, 96), CBR(3, 96)),
        (AVERAGE, CBR(1, 64)),
    )
)
# The branches of A, B and C; the filter expansion behind them is the module's own.
_FIGURE_10: Table = ((CBR(1, 32),), (CBR(1, 32), CBR(3, 32)), (CBR(1, 32), CBR(3, 32), CBR(3, 32)))
_FIGURE_16: Table = ((CBR(1, 32),), (CBR(1, 32), CBR(3, 32)), (CBR(1, 32), CBR(3, 48), CBR(3, 64)))
_FIGURE_11: Table = ((CBR(1, 128),), (CBR(1, 128), CBR((1, 7), 128), CBR((7, 1), 128)))
_FIGURE_17: Table = ((CBR(1, 192),), (CBR(1, 128), CBR((1, 7), 160), CBR((7, 1), 192)))
_FIGURE_13: Table = ((CBR(1, 192),), (CBR(1, 192), CBR((1, 3), 192), CBR((3, 1), 192)))
_FIGURE_19: Table = ((CBR(1, 192),), (CBR(1, 192), CBR((1, 3), 224), CBR((3, 1), 256)))


class Schema(NamedTuple):
    """Figure 15's stem and the branches of its modules A, B, C."""

    stem: tuple[Step, ...]
    a: Table
    b: Table
    c: Table


_V1 = Schema(_FIGURE_14, _FIGURE_10, _FIGURE_11, _FIGURE_13)
_V2 = Schema(figure_3("figure"), _FIGURE_16, _FIGURE_17, _FIGURE_19)
_SCHEMAS = {
    ("v1", "figures"): _V1,
    ("v1", "released"): _V1,
    ("v2", "figures"): _V2,
    ("v2", "released"): _V2._replace(stem=(*_V3_STEM, HALVING, _MIXED_5B)),
}


def _reduction_b(model: InceptionResNet) -> Table:
    """Reduction-B of v1 (figure 12) and v2 (figure 18), from 17x17 to 8x8, at its width already."""
    reduced, between = (widened(base, model.width) for base in (256, 256 if model.version == "v1" else 288))
    one, two, three = model.filters_b
    return (
        (CBR(1, reduced), valid(one, stride=2)),
        (CBR(1, reduced), valid(two, stride=2)),
        (CBR(1, reduced), CBR(3, between), valid(three, stride=2)),
        (HALVING,),
    )


class ResidualModule(Excited, Activated):
    """`y = relu(norm(join(x, expand(concat(branches(x))))))`, figures 10 to 20, shape kept; `norm` where `norm_on_sum`.

    `stage` counts from 1: A, B, C. `scale` multiplies `residual_scale`. Where not `ends_activated` there is no ReLU.
    """

    def __init__(
        self,
        model: InceptionResNet,
        layout: Layout,
        channels: int,
        branches: Table,
        *,
        stage: int,
        survival: float,
        scale: float,
        ends_activated: bool = True,
    ) -> None:
        super().__init__()
        self.branches = InceptionModule(layout, channels, branches)
        joined = self.branches.channels
        self.dropout = dropout(model.dropout, model.dropout_placement == "branch")
        kind = "batch" if "batch" in model.expansion else "none"
        act = model.activation if "relu" in model.expansion else None
        self.expand = ConvNormAct(joined, channels, 1, norm=kind, eps=_EPS, act=act)
        self.join = Join(model, survival, scale)
        self.norm = norm(model.norm, channels, _EPS) if model.norm_on_sum else nn.Identity()
        self.act = ends_activated
        if ends_activated:
            self.activate(model.activation, channels)
        # Without a shortcut the sum may be the branch itself, whose ReLU keeps its output for the gradient.
        self.inplace = model.shortcut_scale > 0
        self.excite(model.se, stage, channels, inside=joined)

    def forward(self, x: Tensor) -> Tensor:
        joined = self.excited("inside", self.branches(self.excited("pre", x)))
        branch = self.excited("standard", self.expand(self.dropout(joined)))
        shortcut = self.excited("identity", x) if self.join.shortcut_scale else None
        y = self.norm(self.join(shortcut, branch))
        return self.excited("post", self.activated(y, self.inplace) if self.act else y)

    def extra_repr(self) -> str:
        return f"act={self.act}"


def inception_resnet(model: InceptionResNet, in_channels: int, num_classes: int) -> InceptionNet:
    """Figure 15: images (N, in_channels, H, W), of a side from `model.min_size`, to logits (N, classes)."""
    layout = Layout(width=model.width, norm=model.norm, act=model.activation, eps=_EPS, count_include_pad=False)
    schema = _SCHEMAS[model.version, model.layout]
    stem = Branch(layout, in_channels, for_small_images(schema.stem) if model.stem == "small" else schema.stem)
    a, b, c = _grids(model, layout, schema)
    reduction_a = InceptionModule(layout, stem.channels, figure_7(model.filters_a))
    reduction_b = InceptionModule(replace(layout, width=1.0), reduction_a.channels, _reduction_b(model))
    stages: dict[str, nn.Module] = {"A": a, "reduction_a": reduction_a, "B": b, "reduction_b": reduction_b, "C": c}
    channels = reduction_b.channels
    if model.layout == "released" and model.version == "v2":
        stages["last"] = last = cbr(layout, channels, CBR(1, _LAST_CONV))
        channels = last.conv.out_channels
    return InceptionNet(stem, stages, _head(model, channels, num_classes))


def _grids(model: InceptionResNet, layout: Layout, schema: Schema) -> list[nn.Sequential]:
    """The grids of modules A, B and C; the last module of the released layouts has scale 1 and no ReLU."""
    survivals = iter(model.stochastic_depth.chances(sum(model.num_blocks)))
    grids = []
    for stage, (count, table) in enumerate(zip(model.num_blocks, schema[1:], strict=True)):
        grid = nn.Sequential()
        for at in range(count):
            ends = model.layout == "released" and stage == 2 and at == count - 1
            grid.append(
                ResidualModule(
                    model,
                    layout,
                    model.grid_filters[stage],
                    table,
                    stage=stage + 1,
                    survival=next(survivals),
                    scale=1.0 if ends else model.block_scales[stage],
                    ends_activated=not ends,
                )
            )
        grids.append(grid)
    return grids


def _head(model: InceptionResNet, channels: int, num_classes: int) -> nn.Module:
    rate = model.dropout if model.dropout_placement == "head" else 0.0
    if (model.version, model.layout) != ("v1", "released"):
        return Head(channels, num_classes, rate)
    units = widened(_EMBEDDING, model.width)
    embedding = Linear(channels, units, bias=model.norm == "none")
    normed = nn.BatchNorm1d(units, eps=_EPS) if model.norm == "batch" else nn.Identity()
    return nn.Sequential(dropout(rate, here=True), embedding, normed, Linear(units, num_classes))
