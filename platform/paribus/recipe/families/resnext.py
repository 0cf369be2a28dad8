"""ResNeXts, the part of a recipe."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.families.family import Published, Residual
from paribus.recipe.families.resnet import Stem, stem_min_size, units

# Parameters of the block 1 x 64d on 256 channels, the ResNet bottleneck: what every template of table 2 costs.
_COST = 64 * (256 + 9 * 64 + 256)


class ResNeXt(Residual):
    """A ResNeXt, C x d d in the paper's notation (Xie et al. 2017, arXiv 1611.05431, table 1 and section 3).

    A unit of a stage with base width w is 1x1 to C D, 3x3 in C = `cardinality` groups of D channels, 1x1 to 4 w, where
    D = floor(w d / 64), d = `base_width`. With the `imagenet` stem: four stages, w = 64 to 512, depth 50, 101, 152 or
    any `blocks`; `caffe` is that stem as ResNet has it. With the `small` stem: three stages, w = 64, 128, 256, depth 9n
    + 2 (section 5.3).

    At constant cost: `base_width` null takes the d at which a block on 256 channels has the 70k parameters of 1 x 64d,
    C (2 * 256 d + 9 d^2) (equation 4): 64, 40, 24, 14, 4 for C = 1, 2, 4, 8, 32 (table 2).

    `order` original is the paper's block; preactivation is that of the CIFAR results in its first arXiv version, as
    the release's README says.

    Raises:
        ValueError: a depth that does not fit the stem and `blocks`, or groups that would have no channel; it names the
            nearest values that fit.
    """

    family: Literal["resnext"] = "resnext"
    depth: int = Field(29, ge=1, le=10_000, description="layers; it has to fit the stem and the blocks")
    stem: Stem = "small"
    blocks: tuple[int, ...] | None = Field(None, description="units of each stage; null: as the depth says")
    cardinality: int = Field(32, ge=1, le=4096, description="C, the groups of the 3x3 conv")
    base_width: int | None = Field(None, ge=1, le=4096, description="d; null: the one that costs what 1 x 64d does")
    order: Literal["original", "preactivation"] = "original"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _ = self.num_units
        if self.base_width is None and _constant_cost(self.cardinality) == 0:
            largest = max(cardinality for cardinality in range(1, self.cardinality) if _constant_cost(cardinality))
            raise ValueError(
                f"no base width holds the cost of 1 x 64d at cardinality {self.cardinality}: the largest cardinality "
                f"that does is {largest}; or give model.base_width"
            )
        check_groups(self.width, self.resolved_base_width)
        return self

    @property
    def num_stages(self) -> int:
        return 3 if self.stem == "small" else 4

    @property
    def min_size(self) -> int:
        return stem_min_size(self.stem)

    @property
    def num_units(self) -> tuple[int, ...]:
        """Residual units of each stage."""
        return units(self.depth, self.stem, "bottleneck", self.blocks)

    @property
    def resolved_base_width(self) -> int:
        """d, whether given or found at constant cost."""
        return _constant_cost(self.cardinality) if self.base_width is None else self.base_width

    @property
    def name(self) -> str:
        """The paper's name, such as `ResNeXt-50-32x4d`."""
        version = "ResNeXt" if self.order == "original" else "PreResNeXt"
        template = f"{self.cardinality}x{self.resolved_base_width}d"
        return self.with_se(f"{version}-{self.depth}-{template}" + ("" if self.width == 1 else f"-x{self.width:g}"))

    @classmethod
    def published(cls) -> dict[str, Published]:
        table: dict[str, Published] = {}
        for depth, cardinality, base_width, source in _IMAGENET:
            model = cls(depth=depth, stem="imagenet", cardinality=cardinality, base_width=base_width)
            table[model.name] = Published(model, 3, 224, 1000, source)
        for cardinality, base_width, source in _CIFAR:
            model = cls(cardinality=cardinality, base_width=base_width)
            table[model.name] = Published(model, 3, 32, 10, source)
        model = cls(cardinality=16, base_width=64, order="preactivation")
        table[model.name] = Published(model, 3, 32, 10, f"{_PAPER}, first arXiv version: README of the release")
        return table


def group_width(base: int, width: float, base_width: int) -> int:
    """D, the channels of one group in a stage of base width `base`, after the width multiplier."""
    # The small addend keeps a product such as 0.1 * 10 = 0.99... from losing a channel.
    return math.floor(base * width * base_width / 64 + 1e-9)


def check_groups(width: float, base_width: int, least: int = 1) -> None:
    """Raise ValueError, naming the nearest that fit, where a group of the first stage has under `least` channels."""
    if (channels := group_width(64, width, base_width)) < least:
        raise ValueError(
            f"base_width {base_width} at width {width:g} leaves a group of the first stage {channels} channels, but it "
            f"takes {least}: the nearest base_width that fits is {math.ceil(least / width - 1e-9)}, the nearest width "
            f"{least / base_width:.4g}"
        )


def _constant_cost(cardinality: int) -> int:
    """The whole d nearest to the root of C (2 * 256 d + 9 d^2) = the cost of 1 x 64d."""
    return round((math.sqrt(256**2 + 9 * _COST / cardinality) - 256) / 9)


_PAPER = "Xie et al. 2017 (1611.05431)"
_TABLE_3, _TABLE_4 = f"{_PAPER}, Table 3", f"{_PAPER}, Table 4"
_IMAGENET = (
    (50, 2, 40, _TABLE_3), (50, 4, 24, _TABLE_3), (50, 8, 14, _TABLE_3), (50, 32, 4, f"{_PAPER}, Table 1"),
    (101, 2, 40, _TABLE_3), (101, 4, 24, _TABLE_3), (101, 8, 14, _TABLE_3), (101, 32, 4, _TABLE_3),
    (101, 1, 100, _TABLE_4), (101, 2, 64, _TABLE_4), (101, 64, 4, _TABLE_4), (101, 32, 8, "timm and torchvision"),
)  # fmt: skip
_CIFAR = (
    (8, 64, f"{_PAPER}, Table 7"), (16, 64, f"{_PAPER}, Table 7"), (1, 64, f"{_PAPER}, Figure 7"),
    (32, 4, "pytorchcv"),
)  # fmt: skip
