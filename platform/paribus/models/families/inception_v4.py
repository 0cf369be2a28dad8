"""Inception-v4 (Szegedy et al. 2017, arXiv 1602.07261), figures 3 to 9; branches from left to right as released."""

from collections.abc import Sequence
from typing import Literal

from torch import nn

from paribus.models.blocks import Head
from paribus.models.families.inception_blocks import (
    CBR,
    Branch,
    Chain,
    Fork,
    InceptionModule,
    InceptionNet,
    Layout,
    Pool,
    Step,
)
from paribus.recipe.families.inception_v4 import InceptionV4

Order = Literal["released", "figure"]
Table = tuple[tuple[Step, ...], ...]

AVERAGE, HALVING = Pool("average"), Pool("max", 3, 2, "valid")
# The grid, counted from 1, that the modules of each stage put out.
_GRIDS = {"A": 1, "reduction_a": 2, "B": 2, "reduction_b": 3, "C": 3}


def valid(channels: int, stride: int = 1) -> CBR:
    """A 3x3 conv without padding, marked V in the figures."""
    return CBR(3, channels, stride, "valid")


def pair(order: Order, side: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(1, side) and (side, 1), the kernels of a factorised conv, as they follow each other in the figures' columns."""
    lying, standing = (1, side), (side, 1)
    return (lying, standing) if order == "figure" else (standing, lying)


def figure_3(order: Order) -> tuple[Step, ...]:
    """The stem of Inception-v4 and Inception-ResNet-v2: 299 pixels to 35x35x384."""
    second, first = pair(order, 7)
    return (
        valid(32, stride=2),
        valid(32),
        CBR(3, 64),
        Fork(((HALVING,), (valid(96, stride=2),))),
        Fork(
            (
                (CBR(1, 64), valid(96)),
                (CBR(1, 64), CBR(first, 64), CBR(second, 64), valid(96)),
            )
        ),
        Fork(((valid(192, stride=2),), (HALVING,))),
    )


def figure_4() -> Table:
    """Inception-A, on the 35x35 grid: 384 filters."""
    return (
        (CBR(1, 96),),
        (CBR(1, 64), CBR(3, 96)),
        (CBR(1, 64), CBR(3, 96), CBR(3, 96)),
        (AVERAGE, CBR(1, 96)),
    )


def figure_5(order: Order) -> Table:
    """Inception-B, on the 17x17 grid: 1024 filters."""
    first, second = pair(order, 7)
    return (
        (CBR(1, 384),),
        (CBR(1, 192), CBR((1, 7), 224), CBR((7, 1), 256)),
        (CBR(1, 192), CBR(first, 192), CBR(second, 224), CBR(first, 224), CBR(second, 256)),
        (AVERAGE, CBR(1, 128)),
    )


def figure_6(order: Order) -> Table:
    """Inception-C, on the 8x8 grid: 1536 filters."""
    first, second = pair(order, 3)
    both = Fork(((CBR((1, 3), 256),), (CBR((3, 1), 256),)))
    return (
        (CBR(1, 256),),
        (CBR(1, 384), both),
        (CBR(1, 384), CBR(first, 448), CBR(second, 512), both),
        (AVERAGE, CBR(1, 256)),
    )


def figure_7(filters: tuple[int, int, int, int]) -> Table:
    """Reduction-A of all three nets, from 35x35 to 17x17, with the k, l, m, n of table 1."""
    k, l, m, n = filters  # noqa: E741  # the paper's letters
    return (
        (valid(n, stride=2),),
        (CBR(1, k), CBR(3, l), valid(m, stride=2)),
        (HALVING,),
    )


def figure_8() -> Table:
    """Reduction-B of Inception-v4, from 17x17 to 8x8."""
    return (
        (CBR(1, 192), valid(192, stride=2)),
        (CBR(1, 256), CBR((1, 7), 256), CBR((7, 1), 320), valid(320, stride=2)),
        (HALVING,),
    )


def for_small_images(steps: Sequence[Step]) -> tuple[Step, ...]:
    """A stem that keeps every pixel: stride 1, padding, no pool but those beside a conv, which keep their channels."""
    return tuple(Chain(()) if isinstance(step, Pool) else _unstrided(step) for step in steps)


def _unstrided(step: Step) -> Step:
    if isinstance(step, Fork):
        return Fork(tuple(tuple(_unstrided(inner) for inner in arm) for arm in step.arms))
    if isinstance(step, Chain):
        return Chain(tuple(_unstrided(inner) for inner in step.steps))
    if isinstance(step, Pool):
        return Pool(step.kind, step.kernel)
    return step._replace(stride=1, padding="same")


def inception_v4(model: InceptionV4, in_channels: int, num_classes: int) -> InceptionNet:
    """Figure 9: images (N, in_channels, H, W), of a side from `model.min_size`, to logits (N, classes)."""
    layout = Layout(width=model.width, norm=model.norm, act=model.activation, count_include_pad=False, se=model.se)
    steps = figure_3(model.order)
    stem = Branch(layout, in_channels, for_small_images(steps) if model.stem == "small" else steps)
    a, b, c = model.blocks
    schema = {
        "A": [figure_4()] * a,
        "reduction_a": [figure_7(model.reduction_a)],
        "B": [figure_5(model.order)] * b,
        "reduction_b": [figure_8()],
        "C": [figure_6(model.order)] * c,
    }
    stages, channels = {}, stem.channels
    for name, tables in schema.items():
        stages[name] = nn.Sequential()
        for table in tables:
            module = InceptionModule(layout, channels, table, _GRIDS[name])
            channels = module.channels
            stages[name].append(module)
    return InceptionNet(stem, stages, Head(channels, num_classes, model.dropout))
