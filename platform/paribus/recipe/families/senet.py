"""SENets, the part of a recipe: SENet-154, and the papers' nets of other families with squeeze-and-excitation."""

from typing import Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.families.family import Published, Residual, SqueezeExcite
from paribus.recipe.families.resnet import ResNet
from paribus.recipe.families.resnext import ResNeXt, check_groups
from paribus.recipe.families.wide_resnet import WideResNet


class SENet(Residual):
    """SENet-154 (Hu et al. 2018, arXiv 1709.01507, appendix): an SE-ResNeXt-152 64x4d with four changes, each a field.

    `halves_first`: the first 1x1 of a unit has half the channels of its 3x3 (of each group, rounded down). `stem`: a
    7x7 conv gives way to three 3x3 (`imagenet`; `imagenet_7x7` keeps it; `small` is the three at stride 1, unpooled).
    `projection_kernel`: shortcuts that stride are 3x3 convs, not 1x1. `dropout` 0.2 lies before the classifier. Stages
    have base widths 64 to 512, `blocks` units each; a 3x3 has `cardinality` groups of floor(w `base_width` / 64).

    Raises:
        ValueError: blocks that are not four, or groups left without a channel; it names the nearest values that fit.
    """

    family: Literal["senet"] = "senet"
    blocks: tuple[int, ...] = Field((3, 8, 36, 3), description="units of each of the four stages")
    stem: Literal["small", "imagenet", "imagenet_7x7"] = "small"
    cardinality: int = Field(64, ge=1, le=4096, description="groups of the 3x3 convs")
    base_width: int = Field(4, ge=1, le=4096, description="channels of a group in the first stage")
    halves_first: bool = True
    projection_kernel: Literal[1, 3] = 3
    dropout: float = Field(0.2, ge=0, lt=1)
    dropout_placement: Literal["none", "branch", "shortcut", "head"] = "head"
    se: SqueezeExcite = SqueezeExcite(place="standard")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.blocks) != self.num_stages or min(self.blocks) < 1:
            raise ValueError(f"blocks {self.blocks} should be four counts from 1, one for each stage: (3, 8, 36, 3)")
        check_groups(self.width, self.base_width, least=2 if self.halves_first else 1)
        return self

    @property
    def num_stages(self) -> int:
        return 4

    @property
    def depth(self) -> int:
        """Layers: the stem's, three a unit, the classifier."""
        return (1 if self.stem == "imagenet_7x7" else 3) + 3 * sum(self.blocks) + 1

    @property
    def min_size(self) -> int:
        return 1 if self.stem == "small" else 3

    @property
    def name(self) -> str:
        template = "" if (self.cardinality, self.base_width) == (64, 4) else f"-{self.cardinality}x{self.base_width}d"
        return f"SENet-{self.depth}{template}" + ("" if self.width == 1 else f"-x{self.width:g}")

    @classmethod
    def published(cls) -> dict[str, Published]:
        senet = Published(cls(stem="imagenet"), 3, 224, 1000, f"{_PAPER}, Table 8 and appendix")
        return {"SENet-154": senet} | _imagenet() | _reductions() | _cifar()


_PAPER = "Hu et al. 2018 (1709.01507)"
_STANDARD = SqueezeExcite(place="standard")


def _imagenet() -> dict[str, Published]:
    """With the stride on the 3x3 as in timm, and as in the Caffe release."""
    table: dict[str, Published] = {}
    for depth in (50, 101, 152):
        model = ResNet(depth=depth, stem="imagenet", block="bottleneck", se=_STANDARD)
        table[model.name] = Published(model, 3, 224, 1000, f"{_PAPER}, Table 2, as timm has it (stride on the 3x3)")
        model = ResNet(depth=depth, stem="caffe", block="bottleneck", stride_on="1x1", se=_STANDARD)
        source = f"{_PAPER}, Table 2, as its Caffe release has it (stride on the 1x1)"
        table[f"{model.name}-caffe"] = Published(model, 3, 224, 1000, source)
    for depth in (50, 101):
        grouped = ResNeXt(depth=depth, stem="imagenet", cardinality=32, base_width=4, se=_STANDARD)
        table[grouped.name] = Published(grouped, 3, 224, 1000, f"{_PAPER}, Table 2, as timm has it")
        grouped = ResNeXt(depth=depth, stem="caffe", cardinality=32, base_width=4, se=_STANDARD)
        table[f"{grouped.name}-caffe"] = Published(grouped, 3, 224, 1000, f"{_PAPER}, Table 2, its Caffe release")
    return table


def _reductions() -> dict[str, Published]:
    """Table 10, which prints the parameters of the released layout, with biases; its text says that there are none."""
    table: dict[str, Published] = {}
    for reduction in (2, 4, 8, 16, 32):
        for bias, suffix in ((True, ""), (False, "-unbiased")):
            se = SqueezeExcite(place="standard", reduction=reduction, bias=bias)
            model = ResNet(depth=50, stem="imagenet", block="bottleneck", se=se)
            table[f"{model.name}-r{reduction}{suffix}"] = Published(model, 3, 224, 1000, f"{_PAPER}, Table 10")
    return table


def _cifar() -> dict[str, Published]:
    """Tables 4 and 5; their plain 110 and 164 have the errors of pre-activation nets (6.37 and 5.46 on CIFAR-10)."""
    models: list[ResNet | WideResNet] = [
        ResNet(depth=110, se=_STANDARD),
        ResNet(depth=164, block="bottleneck", se=_STANDARD),
        ResNet(depth=110, order="preactivation", se=_STANDARD),
        ResNet(depth=164, block="bottleneck", order="preactivation", stride_on="1x1", se=_STANDARD),
        WideResNet(depth=16, width=8.0, se=_STANDARD),
    ]
    return {model.name: Published(model, 3, 32, 10, f"{_PAPER}, Tables 4 and 5") for model in models}
