"""ResNets v1 and v2, the part of a recipe."""

from typing import Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.families.family import Published, Residual, StochasticDepth, split_depth

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
Stem = Literal["small", "imagenet", "caffe"]
StrideOn = Literal["1x1", "3x3"]


class ResNet(Residual):
    """A ResNet: v1 (He et al. 2016a, arXiv 1512.03385) with `order` original, v2 (2016b, 1603.05027) preactivation.

    With the `imagenet` stem: four stages at 64, 128, 256, 512, depth 18 to 152 (table 1), or any `blocks`; `caffe` is
    that stem as the paper's own release has it, whose max pool is not padded but rounds its size up. With the `small`
    stem: three stages at 16, 32, 64, depth 6n + 2 of basic units, 9n + 2 of bottlenecks (v1 section 4.2).

    `block` is the unit: two 3x3 convs, or a bottleneck of 1x1, 3x3, 1x1.

    `order` names the five of 2016b, figure 4. Where ReLU comes first, `first_shortcut` says what the first unit's
    identity shortcut reads: conv1's output activated, as the paper's appendix and fb.resnet.torch have it, or raw, as
    timm and pytorchcv do. A shortcut that changes the shape always reads what is activated. `shortcut` and
    `shortcut_scale` are those of its figure 2 and table 1: `exclusive_gate` (1 - g) x + g f, `shortcut_gate` (1 - g) x
    + f, with g = sigmoid(1x1 conv of x, bias `gate_bias`). `projection` is option A (zero-padded, no parameters;
    `A_pool` averages instead of dropping pixels, as the stochastic-depth release does), B (1x1 conv where the shape
    changes) or C (1x1 conv on every unit). `stride_on` puts the stride of a bottleneck on its first 1x1, as the paper
    and the Caffe release have it, or on its 3x3, as fb.resnet.torch, torchvision and timm do. `gate_bias` acts where
    there is a gate and `first_shortcut` where ReLU comes first; elsewhere they are left alone, so that arms can differ
    in the shortcut or the order alone.

    Raises:
        ValueError: a depth that does not fit the stem, the block and `blocks`, naming the nearest ones that do; a gate
            on a shortcut that is left out; basic units with `stride_on` 1x1.
    """

    family: Literal["resnet"] = "resnet"
    depth: int = Field(20, ge=1, le=10_000, description="layers; it has to fit the stem and the blocks")
    stem: Stem = "small"
    block: Literal["basic", "bottleneck"] = "basic"
    blocks: tuple[int, ...] | None = Field(None, description="units of each stage; null: as the depth says")
    order: Order = "original"
    first_shortcut: Literal["activated", "raw"] = "activated"
    shortcut: Shortcut = "identity"
    gate_bias: float = Field(0.0, description="b_g, the gate's initial bias; 2016b table 1 tries 0 to -7")
    projection: Projection = "B"
    stride_on: StrideOn = "3x3"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _ = self.num_units
        if self.block == "basic" and self.stride_on == "1x1":
            raise ValueError("stride_on '1x1' is about bottlenecks, and basic units have no 1x1: leave it at '3x3'")
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
    def min_size(self) -> int:
        return stem_min_size(self.stem)

    @property
    def name(self) -> str:
        version = {"original": "ResNet", "preactivation": "PreResNet"}.get(self.order, f"ResNet-{self.order}")
        return self.with_se(f"{version}-{self.depth}" + ("" if self.width == 1 else f"-x{self.width:g}"))

    @classmethod
    def published(cls) -> dict[str, Published]:
        return _imagenet() | _cifar() | _cifar_ablations()


_V1, _V2 = "He et al. 2016 (1512.03385)", "He et al. 2016 (1603.05027)"
_SD = "Huang et al. 2016 (1603.09382)"


def _imagenet() -> dict[str, Published]:
    table: dict[str, Published] = {}

    def add(model: ResNet, source: str, suffix: str = "") -> None:
        table[model.name + suffix] = Published(model, 3, 224, 1000, source)

    for depth in (18, 34):
        add(ResNet(depth=depth, stem="imagenet"), f"{_V1}, Table 1")
        add(
            ResNet(depth=depth, stem="imagenet", order="preactivation"),
            f"{_V2}, its appendix (activated first shortcut)",
        )
        raw = ResNet(depth=depth, stem="imagenet", order="preactivation", first_shortcut="raw")
        add(raw, f"{_V2}, as timm has it (raw first shortcut)", "-raw")
    for depth in (50, 101, 152):
        model = ResNet(depth=depth, stem="imagenet", block="bottleneck")
        add(model, f"{_V1}, Table 1, as fb.resnet.torch and torchvision have it (stride on the 3x3)")
        add(model.model_copy(update={"order": "preactivation"}), f"{_V2}, Table 5, as timm has it")
        caffe = ResNet(depth=depth, stem="caffe", block="bottleneck", stride_on="1x1")
        add(caffe, f"{_V1}, Table 1, as its Caffe release has it (stride on the 1x1)", "-caffe")
    blocks = (3, 24, 36, 3)
    add(ResNet(depth=200, stem="imagenet", block="bottleneck", blocks=blocks, order="preactivation"), f"{_V2}, Table 5")
    add(ResNet(depth=34, stem="imagenet", projection="A"), f"{_V1}, Table 3, option A", "-A")
    add(ResNet(depth=34, stem="imagenet", projection="C"), f"{_V1}, Table 3, option C", "-C")
    return table


def _cifar() -> dict[str, Published]:
    table: dict[str, Published] = {}

    def add(model: ResNet, source: str, suffix: str = "") -> None:
        table[model.name + suffix] = Published(model, 3, 32, 10, source)

    for depth in (20, 32, 44, 56, 110, 1202):
        add(ResNet(depth=depth, projection="A"), f"{_V1}, Table 6")
        add(ResNet(depth=depth), f"{_V1}, Table 6 with option B", "-B")
    add(ResNet(depth=110, order="preactivation"), f"{_V2}, Table 2")
    add(
        ResNet(depth=110, order="preactivation", first_shortcut="raw"),
        f"{_V2}, as pytorchcv has it (raw first shortcut)",
        "-raw",
    )
    for depth in (164, 1001):
        model = ResNet(depth=depth, block="bottleneck", order="preactivation", stride_on="1x1")
        add(model, f"{_V2}, Tables 3 and 4")
    halved = StochasticDepth(survival=0.5)
    add(ResNet(depth=110, projection="A_pool", stochastic_depth=halved), f"{_SD}, Table 1", "-SD")
    return table


def _cifar_ablations() -> dict[str, Published]:
    """The arms of 2016b, tables 1 and 2, all on ResNet-110 and on every unit."""
    table1: dict[str, ResNet] = {
        "scaled-0.5-1": ResNet(depth=110, shortcut_scale=0.5),
        "scaled-0.5-0.5": ResNet(depth=110, shortcut_scale=0.5, residual_scale=0.5),
        "exclusive-gate": ResNet(depth=110, shortcut="exclusive_gate", gate_bias=-6.0),
        "shortcut-gate": ResNet(depth=110, shortcut="shortcut_gate", gate_bias=-6.0),
        "1x1-shortcut": ResNet(depth=110, projection="C"),
        "dropout-shortcut": ResNet(depth=110, dropout=0.5, dropout_placement="shortcut"),
    }
    table = {f"ResNet-110-{arm}": Published(model, 3, 32, 10, f"{_V2}, Table 1") for arm, model in table1.items()}
    orders: tuple[Order, ...] = ("bn_after_add", "relu_before_add", "relu_only_preactivation")
    for model in (ResNet(depth=110, order=order) for order in orders):
        table[model.name] = Published(model, 3, 32, 10, f"{_V2}, Table 2")
    return table


def stem_min_size(stem: Stem) -> int:
    """The smallest side of an input in pixels: an unpadded pool needs two pixels, behind a conv that halves."""
    return 3 if stem == "caffe" else 1


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
