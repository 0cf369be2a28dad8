"""The one table that the contracts of the families run: a sibling small enough for a CPU, and levels of each field."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from paribus.recipe import (
    NIN,
    InceptionResNet,
    InceptionV1,
    InceptionV2,
    InceptionV3,
    InceptionV4,
    ResNet,
    ResNeXt,
    SENet,
    WideResNet,
    Xception,
)
from paribus.recipe.components.layers import ACTIVATIONS
from paribus.recipe.families.family import Family, Residual, SqueezeExcite
from paribus.recipe.paths import assign, leaves


@dataclass(frozen=True)
class Levels:
    """Levels of one field beside the sibling's own, and what else they need.

    `given` is set in both nets that are compared; `also` only in the one that has the level, where the level alone does
    not fit. `training_only` says that the level changes nothing in evaluation. `size` is that of the images, where the
    sibling's own is too small.
    """

    values: tuple[Any, ...]
    given: Mapping[str, Any] = field(default_factory=dict)
    also: Mapping[str, Any] = field(default_factory=dict)
    training_only: bool = False
    size: int | None = None


@dataclass(frozen=True)
class Sibling:
    """A family's small net, the side of its images in pixels, and its factors: field path to levels.

    `refused` are values that fields list and this family does not take. `busy` are changes that bring in every kind of
    layer at once: masks, skipped branches, auxiliary heads, excitation.
    """

    base: Family
    size: int
    factors: Mapping[str, tuple[Levels, ...]]
    refused: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    busy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def busiest(self) -> Any:
        """The base with `busy` set, and where it has residual branches with what acts on those."""
        return variant(self.base, (BUSY if isinstance(self.base, Residual) else {}) | dict(self.busy))


@dataclass(frozen=True)
class Case:
    """One level: the net without it and the net with it."""

    name: str
    before: Family
    after: Family
    size: int
    training_only: bool


def variant(model: Family, changes: Mapping[str, Any]) -> Any:
    """A validated copy of `model` with the dotted paths of `changes` set."""
    tree = model.model_dump()
    for path, value in changes.items():
        assign(tree, path, value)
    return type(model).model_validate_json(json.dumps(tree))


def fields(family: type[Family]) -> list[str]:
    """The path of every field of the family, those of nested parts too."""
    return [path for path, _ in leaves(family().model_dump()) if path != "family"]


def cases(sibling: Sibling) -> Iterator[Case]:
    """Every level of every factor of `sibling`."""
    for path, rows in sibling.factors.items():
        for row in rows:
            before = variant(sibling.base, row.given)
            for value in row.values:
                after = variant(sibling.base, {**row.given, **row.also, path: value})
                name = f"{before.family}-{path}={value}"
                yield Case(name, before, after, row.size or sibling.size, row.training_only)


def rows(*values: Any, training_only: bool = False, size: int | None = None, **needs: Any) -> tuple[Levels, ...]:
    """The one row that most fields need."""
    return (Levels(values, training_only=training_only, size=size, **needs),)


_SE = {"se.place": "standard"}
_EXCITED = {
    "se.reduction": rows(2, given=_SE),
    "se.squeeze": rows("max", "none", given=_SE),
    # With fewer hidden units these gates may all be shut.
    "se.gate": rows("tanh", "relu", given=_SE | {"se.reduction": 2}),
    "se.bias": rows(False, given=_SE),
    "se.stages": rows((1,), (2, 3), given=_SE),
    "se.module": rows("eca", "cbam", "torch:Hardsigmoid", given=_SE),
}
ACTIVATION = {"activation": rows("gelu", "leaky_relu(negative_slope=0.2)", "prelu", "torch:CELU")}
EVERY_ACTIVATION = rows(*(name for name in ACTIVATIONS if name != "relu"), "elu(alpha=0.5)", "torch:CELU")
OTHER_NORMS = ("none", "group(groups=4)", "layer", "instance", "filter_response")
# On an Inception module's concat there is one place.
CONCAT_EXCITED = {"se.place": rows("standard"), **_EXCITED}
BRANCH_PLACES = {"se.place": ("pre", "post", "identity", "inside")}
_LEFT_OUT = {"stochastic_depth.survival": 0.5}
RESIDUAL = {
    "width": rows(0.2),
    "residual_scale": rows(0.1, 0.3, 2.0),
    "shortcut_scale": rows(0.0, 0.5),
    "dropout": rows(0.3, given={"dropout_placement": "branch"}, training_only=True),
    "dropout_placement": rows("branch", "shortcut", "head", given={"dropout": 0.5}, training_only=True),
    **ACTIVATION,
    "norm": rows(*OTHER_NORMS),
    "stochastic_depth.survival": rows(0.5, 0.9),
    "stochastic_depth.rule": rows("uniform", given=_LEFT_OUT),
    "stochastic_depth.mode": rows("row", given=_LEFT_OUT, training_only=True),
    "se.place": rows("standard", "pre", "post", "identity", "inside"),
    **_EXCITED,
}
_HEAD, _UPPER_HEAD = {"auxiliary.at": ("4a",)}, {"auxiliary.weight": 0.4}
GOOGLENET = {
    **ACTIVATION,
    "width": rows(0.2),
    "stem": rows("imagenet", size=32),
    "auxiliary.at": rows(("4a",)),
    "auxiliary.weight": rows(1.0, given=_HEAD, training_only=True),
    "auxiliary.norm": rows("batch", given=_HEAD),
    "auxiliary.dropout": rows(0.0, given=_HEAD, training_only=True),
    # On a grid below 14x14 both are the average to 4x4.
    "auxiliary.pool": rows("4x4", given=_HEAD, size=32, training_only=True),
    **CONCAT_EXCITED,
}
BUSY = {
    "dropout": 0.2,
    "dropout_placement": "branch",
    "residual_scale": 0.5,
    "stochastic_depth.survival": 0.7,
    "se.place": "standard",
}
_BOTTLENECK = {"block": "bottleneck", "depth": 11}

SIBLINGS: dict[type[Family], Sibling] = {
    WideResNet: Sibling(
        WideResNet(depth=10, width=0.25),
        8,
        RESIDUAL
        | {
            "activation": EVERY_ACTIVATION,
            "depth": rows(16),
            "block": rows((3,), (1, 3, 1)) + rows("bottleneck", also={"stem": "imagenet", "depth": 50}),
            "stem": rows("imagenet", also={"depth": 18}),
        },
    ),
    ResNet: Sibling(
        ResNet(depth=8, width=0.25),
        8,
        RESIDUAL
        | {
            "depth": rows(14),
            "stem": rows("imagenet", "caffe", also={"depth": 10, "blocks": (1, 1, 1, 1)}),
            "block": rows("bottleneck", also={"depth": 11}),
            "blocks": rows((1, 2, 1), also={"depth": 10}),
            # With one unit a stage, ReLU after the sum and ReLU before the next unit would be the same.
            "order": rows(
                "bn_after_add",
                "relu_before_add",
                "relu_only_preactivation",
                "preactivation",
                given={"depth": 10, "blocks": (1, 2, 1)},
            ),
            "first_shortcut": rows("raw", given={"order": "preactivation"}),
            "shortcut": rows("exclusive_gate", "shortcut_gate"),
            "gate_bias": rows(-3.0, given={"shortcut": "exclusive_gate"}),
            "projection": rows("A", "A_pool", "C"),
            "stride_on": rows("1x1", given=_BOTTLENECK),
        },
    ),
    ResNeXt: Sibling(
        ResNeXt(depth=11, width=0.125, cardinality=4, base_width=16),
        8,
        RESIDUAL
        | {
            "depth": rows(20),
            "stem": rows("imagenet", "caffe", also={"depth": 14, "blocks": (1, 1, 1, 1)}),
            "blocks": rows((2, 1, 1), also={"depth": 14}),
            "cardinality": rows(1, 8),
            "base_width": rows(8, None),
            "order": rows("preactivation"),
        },
    ),
    NIN: Sibling(
        NIN(width=0.1),
        8,
        {
            "width": rows(0.05),
            "mlpconvs": rows(((192, 160), (192, 192, 192), (192, 192))),
            "kernels": rows((3, 5, 3)),
            "pools": rows(("max", "max"), ("average", "average")),
            "dropout": rows(0.0, 0.3, training_only=True),
            **ACTIVATION,
            "norm": rows("batch", "group"),
            "head": rows("connected", "linear"),
            "head_dropout": rows(0.5, given={"head": "linear"}, training_only=True),
        },
    ),
    Xception: Sibling(
        Xception(width=0.05, middle_modules=1),
        16,
        RESIDUAL
        | {
            "stem": rows("imagenet"),
            "middle_modules": rows(2),
            "intermediate": rows("relu", "elu"),
            "hidden": rows((8,)),
        },
    ),
    SENet: Sibling(
        SENet(
            blocks=(1, 1, 1, 1),
            width=0.125,
            cardinality=4,
            base_width=16,
            dropout=0.0,
            dropout_placement="none",
            se=SqueezeExcite(),
        ),
        16,
        RESIDUAL
        | {
            "blocks": rows((1, 2, 1, 1)),
            "stem": rows("imagenet", "imagenet_7x7"),
            "cardinality": rows(2),
            "base_width": rows(32),
            "halves_first": rows(False),
            "projection_kernel": rows(1),
        },
    ),
    InceptionV1: Sibling(
        InceptionV1(stem="small", blocks=(1, 1, 1), width=0.1),
        16,
        GOOGLENET
        | {
            "blocks": rows((1, 2, 1)),
            "large_conv": rows("3x3", "two_3x3"),
            "norm": rows("batch", "none", "group"),
            "bias": rows(True, given={"norm": "batch"}),
            "dropout": rows(0.0, 0.2, training_only=True),
            "last_pool": rows("2x2"),
        },
        BRANCH_PLACES,
        {**_HEAD, "se.place": "standard"},
    ),
    InceptionV2: Sibling(
        InceptionV2(stem="small", blocks=(2, 2, 1), width=0.1),
        16,
        GOOGLENET
        | {
            "blocks": rows((2, 3, 1)),
            "large_conv": rows("5x5", "3x3"),
            "norm": rows("lrn", "none", "group"),
            "bias": rows(True),
            "dropout": rows(0.4, training_only=True),
        },
        BRANCH_PLACES,
        {**_HEAD, "se.place": "standard"},
    ),
    InceptionV3: Sibling(
        InceptionV3(blocks=(1, 1, 1), width=0.1),
        16,
        {
            "width": rows(0.2),
            "stem": rows("imagenet", "table1", "7x7", size=75),
            "resolution": rows(151, 79, given={"stem": "imagenet"}, size=75),
            "blocks": rows((1, 2, 1)),
            "large_conv": rows("two_3x3"),
            "factorised": rows((), (35, 17, 8)),
            "kernel": rows(3),
            "between": rows("none"),
            "reduction": rows("pool_first", "pool_last"),
            "auxiliary.weight": rows(0.4) + rows(1.0, given=_UPPER_HEAD, training_only=True),
            "auxiliary.norm": rows("none", given=_UPPER_HEAD),
            "auxiliary.dropout": rows(0.5, given=_UPPER_HEAD, training_only=True),
            "dropout": rows(0.5, training_only=True),
            **ACTIVATION,
            "norm": rows("none", "group"),
            **CONCAT_EXCITED,
        },
        BRANCH_PLACES,
        {**_UPPER_HEAD, "dropout": 0.2, "se.place": "standard"},
    ),
    InceptionV4: Sibling(
        InceptionV4(blocks=(1, 1, 1), width=0.1),
        16,
        {
            "width": rows(0.2),
            "stem": rows("imagenet", size=75),
            "blocks": rows((1, 2, 1)),
            "order": rows("figure"),
            "reduction_a": rows((192, 224, 256, 320)),
            "dropout": rows(0.2, training_only=True),
            **ACTIVATION,
            "norm": rows("none", "group"),
            **CONCAT_EXCITED,
        },
        BRANCH_PLACES,
        {"dropout": 0.2, "se.place": "standard"},
    ),
    InceptionResNet: Sibling(
        InceptionResNet(blocks=(1, 1, 1), width=0.1),
        16,
        RESIDUAL
        | {
            "version": rows("v1"),
            "layout": rows("released"),
            "stem": rows("imagenet", size=75),
            "blocks": rows((1, 2, 1)),
            "block_scales": rows((0.17, 0.1, 0.2)),
            "expansion": rows("batch", "relu", "batch_relu"),
            "norm_on_sum": rows(True),
            "reduction_a": rows((192, 224, 256, 320)),
            "last_grid": rows(300),
        },
    ),
}
