"""ResNets v1 and v2, the part of a recipe."""

from typing import Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.families.family import Published, Residual, split_depth

# He et al. 2016a, table 1.
IMAGENET_UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
_CONVS = {"basic": 2, "bottleneck": 3}
_DEPTHS = {"basic": (18, 34), "bottleneck": (50, 101, 152)}

Order = Literal["original", "bn_after_add", "relu_before_add", "relu_only_preactivation", "preactivation"]
Shortcut = Literal["identity", "exclusive_gate", "shortcut_gate"]
Projection = Literal["A", "A_pool", "B", "C"]


class ResNet(Residual):
    """A ResNet: v1 (He et al. 2016a, arXiv 1512.03385) with `order` original, v2 (2016b, 1603.05027) preactivation.

    With the `imagenet` stem: four stages at 64, 128, 256, 512, depth 18 to 152 (table 1), or any `blocks`. With the
    `small` stem: three stages at 16, 32, 64, depth 6n + 2 of basic units, 9n + 2 of bottlenecks (v1 section 4.2).

    `order` names the five of 2016b, figure 4. `shortcut` and `shortcut_scale` are those of its figure 2 and table 1:
    `exclusive_gate` (1 - g) x + g f, `shortcut_gate` (1 - g) x + f, with g = sigmoid(1x1 conv of x, bias `gate_bias`).
    `projection` is option A (zero-padded, no parameters; `A_pool` averages instead of dropping pixels, as the
    stochastic-depth release does), B (1x1 conv where the shape changes) or C (1x1 conv on every unit). `stride_on` puts
    the stride of a bottleneck on its first 1x1, as the paper and the Caffe release have it, or on its 3x3, as
    fb.resnet.torch, torchvision and timm do.

    Raises:
        ValueError: a depth that does not fit the stem, the block and `blocks`; it names the nearest ones that do.
    """

    family: Literal["resnet"] = "resnet"
    depth: int = Field(20, ge=1, le=10_000)
    stem: Literal["small", "imagenet"] = "small"
    block: Literal["basic", "bottleneck"] = "basic"
    blocks: tuple[int, ...] | None = Field(None, description="units of each stage; null: as the depth says")
    order: Order = "original"
    shortcut: Shortcut = "identity"
    gate_bias: float = Field(0.0, description="b_g, the gate's initial bias; 2016b table 1 tries 0 to -7")
    projection: Projection = "B"
    stride_on: Literal["1x1", "3x3"] = "3x3"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _ = self.num_units
        if self.shortcut != "identity" and self.shortcut_scale == 0:
            raise ValueError(f"shortcut {self.shortcut!r} gates a shortcut, but shortcut_scale = 0 leaves it out")
        return self

    @property
    def num_stages(self) -> int:
        return 3 if self.stem == "small" else 4

    @property
    def num_units(self) -> tuple[int, ...]:
        """Residual units of each stage."""
        return units(self.depth, self.stem, self.block, self.blocks)

    @property
    def name(self) -> str:
        version = {"original": "ResNet", "preactivation": "PreResNet"}.get(self.order, f"ResNet-{self.order}")
        return f"{version}-{self.depth}" + ("" if self.width == 1 else f"-x{self.width:g}")

    @classmethod
    def published(cls) -> dict[str, Published]:
        table: dict[str, Published] = {}
        for block, depths in _DEPTHS.items():
            for depth in depths:
                model = cls(depth=depth, stem="imagenet", block=block)  # type: ignore[arg-type]
                table[model.name] = Published(model, 3, 224, 1000, f"{_V1}, Table 1 (stride on the 3x3)")
                model = model.model_copy(update={"order": "preactivation"})
                table[model.name] = Published(model, 3, 224, 1000, _V2)
        for depth in (50, 101, 152):
            model = cls(depth=depth, stem="imagenet", block="bottleneck", stride_on="1x1")
            table[f"{model.name}-1x1"] = Published(model, 3, 224, 1000, f"{_V1}, Table 1 (stride on the 1x1)")
        for projection in ("A", "C"):
            model = cls(depth=34, stem="imagenet", projection=projection)
            table[f"ResNet-34-{projection}"] = Published(model, 3, 224, 1000, f"{_V1}, Table 3, option {projection}")
        for depth in (20, 32, 44, 56, 110, 1202):
            for projection, suffix in (("A", ""), ("B", "-B")):
                model = cls(depth=depth, projection=projection)  # type: ignore[arg-type]
                table[f"{model.name}{suffix}"] = Published(
                    model, 3, 32, 10, f"{_V1}, Table 6" + (" with option B" if suffix else "")
                )
        table["PreResNet-110"] = Published(cls(depth=110, order="preactivation"), 3, 32, 10, f"{_V2}, Table 2")
        for depth in (164, 1001):
            model = cls(depth=depth, block="bottleneck", order="preactivation", stride_on="1x1")
            table[model.name] = Published(model, 3, 32, 10, f"{_V2}, Table 3")
        return table


_V1, _V2 = "He et al. 2016 (1512.03385)", "He et al. 2016 (1603.05027)"


def units(depth: int, stem: str, block: str, blocks: tuple[int, ...] | None) -> tuple[int, ...]:
    """Units of each stage of a ResNet-like net; ValueError names the nearest depths that fit."""
    if stem == "small" or blocks is not None:
        return split_depth(depth, _CONVS[block], 3 if stem == "small" else 4, blocks)
    allowed = _DEPTHS[block]
    if depth not in allowed:
        near = min(allowed, key=lambda each: abs(each - depth))
        raise ValueError(
            f"depth {depth} with the imagenet stem and {block} units: allowed are {', '.join(map(str, allowed))}, "
            f"or any other with its units as blocks; the nearest is {near}"
        )
    return IMAGENET_UNITS[depth]
