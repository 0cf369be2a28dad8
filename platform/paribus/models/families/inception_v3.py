"""Inception-v3 (Szegedy et al. 2015, arXiv 1512.00567): its figures 5, 6, 7, 8 and 10 as tables of branches."""

from collections.abc import Sequence

from torch import Tensor, nn

from paribus.models.blocks import Head
from paribus.models.families.inception_blocks import (
    CBR,
    Auxiliary,
    Branch,
    Chain,
    Fork,
    InceptionModule,
    InceptionNet,
    Layout,
    Pool,
    PoolTo,
    Step,
    pool,
)
from paribus.recipe.families.inception_v3 import InceptionV3

Branches = Sequence[Sequence[Step]]

_AVERAGE, _SHRINK = Pool("average"), Pool("max", 3, 2, "valid")
# Section 3.1: two layers in place of one widen by the same factor each, here the root of 64 / 48.
_BETWEEN_48_AND_64 = 55


# The grid, counted from 1, that each stage's modules put out; sides are those at 299 pixels.
_GRIDS = {"grid35": 1, "to17": 2, "grid17": 2, "to8": 3, "grid8": 3}


def inception_v3(model: InceptionV3, in_channels: int, num_classes: int) -> InceptionNet:
    """Stem, modules on three grids, a reduction before the second and the third, classifier."""
    layout = Layout(width=model.width, norm=model.norm, act=model.activation, se=model.se)
    stem = Branch(layout, in_channels, stem_steps(model))
    stages: dict[str, nn.Module] = {}
    sides: dict[str, Auxiliary] = {}
    channels = stem.channels
    for name, tables in schema(model).items():
        modules: list[InceptionModule] = []
        for branches in tables:
            modules.append(_module(model, layout, channels, name, branches))
            channels = modules[-1].channels
        stages[name] = nn.Sequential(*modules)
        if name == "grid17" and model.auxiliary.weight > 0:
            sides[name] = figure_8(model, layout, channels, num_classes)
    return InceptionNet(stem, stages, Head(channels, num_classes, model.dropout), sides, model.auxiliary.weight)


def schema(model: InceptionV3) -> dict[str, list[Branches]]:
    """The branches of every module, from the stem to the head."""
    on_35, on_17, on_8 = model.blocks
    # The released stem ends in 192 channels, and the first module has fewer pooled ones; that of Table 1 in 288.
    pooled = [64 if at > 0 or model.stem == "table1" else 32 for at in range(on_35)]
    reduced = [128 if at == 0 else 192 if at == on_17 - 1 else 160 for at in range(on_17)]
    return {
        "grid35": [figure_5(model, channels) for channels in pooled],
        "to17": [figure_10(model)],
        "grid17": [figure_6(model, channels) for channels in reduced],
        "to8": [second_reduction(model)],
        "grid8": [figure_7(model)] * on_8,
    }


def _module(model: InceptionV3, layout: Layout, channels: int, name: str, branches: Branches) -> InceptionModule:
    if name.startswith("to"):
        return Reduction(layout, channels, branches, _GRIDS[name], model.reduction)
    return InceptionModule(layout, channels, branches, _GRIDS[name])


def stem_steps(model: InceptionV3) -> list[Step]:
    """From images to 192 channels (table1: 288) at 35x35; with the small stem to 192 channels at the images' size."""
    if model.stem == "small":
        return [Chain((CBR(3, 32), CBR(3, 32), CBR(3, 64))), Chain(()), CBR(1, 80), CBR(3, 192)]
    stride = 2 if model.resolution == 299 else 1
    # One step whatever it is made of, and a pool's place also where there is none: so later layers keep their names.
    first: Step = Chain((CBR(3, 32, stride, "valid"), CBR(3, 32, padding="valid"), CBR(3, 64)))
    if model.stem == "7x7":
        first = CBR(7, 64, stride, "valid")
    shrink = Chain((_SHRINK,) if model.resolution != 79 else ())
    if model.stem == "table1":
        return [first, shrink, CBR(3, 80, padding="valid"), CBR(3, 192, 2, "valid"), CBR(3, 288)]
    return [first, shrink, CBR(1, 80), CBR(3, 192, padding="valid"), _SHRINK]


def figure_5(model: InceptionV3, pooled: int) -> Branches:
    """The module of the grid 35: the 5x5 of GoogLeNet's (figure 4) as two 3x3; the release keeps one 5x5 beside it."""
    large: Step = square(model, 35, 5, 48, 64)
    if model.large_conv == "two_3x3":
        large = Chain(
            (square(model, 35, 3, 48, _BETWEEN_48_AND_64, half=True), square(model, 35, 3, _BETWEEN_48_AND_64, 64))
        )
    return (
        (CBR(1, 64),),
        (CBR(1, 48), large),
        (CBR(1, 64), square(model, 35, 3, 64, 96, half=True), square(model, 35, 3, 96, 96)),
        (_AVERAGE, CBR(1, pooled)),
    )


def figure_6(model: InceptionV3, reduced: int) -> Branches:
    """The module of the grid 17, after n x n convs are factorised; the release has n = 7."""
    n = model.kernel
    return (
        (CBR(1, 192),),
        (CBR(1, reduced), square(model, 17, n, reduced, 192)),
        (
            CBR(1, reduced),
            square(model, 17, n, reduced, reduced, tall_first=True),
            square(model, 17, n, reduced, 192, tall_first=True),
        ),
        (_AVERAGE, CBR(1, 192)),
    )


def figure_7(model: InceptionV3) -> Branches:
    """The module of the grid 8, with expanded filter banks: 1x3 beside 3x1, as many channels as one 3x3 would have."""
    wide: Step = CBR(3, 768)
    if 8 in model.factorised:
        wide = Fork(((CBR((1, 3), 384),), (CBR((3, 1), 384),)))
    return (
        (CBR(1, 320),),
        (CBR(1, 384), wide),
        (CBR(1, 448), CBR(3, 384), wide),
        (_AVERAGE, CBR(1, 192)),
    )


def figure_10(model: InceptionV3) -> Branches:
    """From the grid 35 to 17: convs with stride 2 beside a pool (figure 10), or as `Reduction` says."""
    return (
        (_shrinking(model, 384),),
        (CBR(1, 64), square(model, 35, 3, 64, 96, half=True), _shrinking(model, 96)),
        _passed(model),
    )


def second_reduction(model: InceptionV3) -> Branches:
    """From the grid 17 to 8, as figure 10 with an n x n conv in it."""
    return (
        (CBR(1, 192), _shrinking(model, 320)),
        (CBR(1, 192), square(model, 17, model.kernel, 192, 192), _shrinking(model, 192)),
        _passed(model),
    )


def _shrinking(model: InceptionV3, channels: int) -> CBR:
    return CBR(3, channels, 2, "valid") if model.reduction == "parallel" else CBR(3, channels)


def _passed(model: InceptionV3) -> Sequence[Step]:
    return (_SHRINK,) if model.reduction == "parallel" else ()


def square(
    model: InceptionV3,
    grid: int,
    n: int,
    inputs: int,
    outputs: int,
    *,
    tall_first: bool = False,
    half: bool = False,
) -> Step:
    """An n x n conv on `grid`, in two where it is factorised: 1 x n, then n x 1, or the other way (`tall_first`).

    `half` says that it is itself the first of two that stand for a larger one.
    """
    between = model.between == "relu"
    act = between or not half
    if grid not in model.factorised:
        return CBR(n, outputs, act=act)
    first, second = ((n, 1), (1, n)) if tall_first else ((1, n), (n, 1))
    return Chain((CBR(first, inputs, act=between), CBR(second, outputs, act=act)))


class Reduction(InceptionModule):
    """A module that halves the grid: by its own branches, or by a pool before (figure 9, left) or after it (right)."""

    def __init__(self, layout: Layout, in_channels: int, branches: Branches, stage: int, how: str) -> None:
        super().__init__(layout, in_channels, branches, stage)
        self.before = pool(_SHRINK) if how == "pool_first" else nn.Identity()
        self.after = pool(_SHRINK) if how == "pool_last" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        shrunk: Tensor = self.after(super().forward(self.before(x)))
        return shrunk


def figure_8(model: InceptionV3, layout: Layout, in_channels: int, num_classes: int) -> Auxiliary:
    """The auxiliary classifier: 17x17 pooled to 5x5, 1x1 conv, a hidden layer that covers it, logits.

    The standard deviations are those of the release (TF-slim's inception_v3.py).
    """
    return Auxiliary(
        layout,
        in_channels,
        num_classes,
        CBR(5, 768, padding="valid", std=0.01),
        pool=PoolTo(5),
        norm=model.auxiliary.norm,
        rate=model.auxiliary.dropout,
        std=0.001,
    )
