"""Inception-ResNet v1 and v2, the part of a recipe."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.families.family import Published, Residual, SqueezeExcite, widened
from paribus.recipe.families.inception_v4 import MIN_SIZES, PAPER, Blocks, Filters, variant

Scale = Annotated[float, Field(gt=0, le=10)]

_BLOCKS = {
    ("v1", "figures"): (5, 10, 5),
    ("v1", "released"): (5, 10, 6),
    ("v2", "figures"): (5, 10, 5),
    ("v2", "released"): (10, 20, 10),
}
_REDUCTION_A = {"v1": (192, 192, 256, 384), "v2": (256, 256, 384, 384)}
# What the last convs of Reduction-B put out, figures 12 and 18; its pool passes the grid before it on.
_REDUCTION_B = {"v1": (384, 256, 256), "v2": (384, 288, 320)}
# What the branches that a stem ends in put out.
_STEM = {
    ("v1", "figures"): (256,),
    ("v1", "released"): (256,),
    ("v2", "figures"): (192, 96, 96),
    ("v2", "released"): (96, 64, 96, 64),
}
_RELEASED_SCALES = (0.17, 0.10, 0.20)


class InceptionResNet(Residual):
    """Inception-ResNet (Szegedy et al. 2017, arXiv 1602.07261, figure 15), three grids of residual modules A, B, C.

    A module is `y = relu(x + residual_scale * block_scales[type] * expand(concat(branches(x))))`; `expand`, the filter
    expansion, is a 1x1 conv with bias and, where `expansion` is not `linear`, batch norm or a ReLU or both.

    `version` v1 is of the cost of Inception-v3, v2 of that of Inception-v4 (section 3.2).

    `layout` `figures` is the paper's text and figures. `released` v2 is the code of TF-slim and timm: the stem of
    Inception-v3 and a module "Mixed 5b", twice the blocks, a last C with scale 1 and without ReLU, then a 1x1 conv to
    1536. `released` v1 is the facenet code: one more C, last and as just said, and a fully connected layer of 512
    with batch norm before the classifier; there no ReLU lies before the pool, so that death is not seen in features.

    - `residual_scale` scales all sums, `block_scales` those of A, B, C; the two multiply. The release has 1 and (0.17,
      0.10, 0.20); section 3.3 takes 0.1 to 0.3. The released last C is scaled by `residual_scale` alone.
    - `shortcut_scale` = 0 leaves the residual connections out.
    - `norm_on_sum`: `y = relu(norm(x + ...))`, which section 3.2 left out to save memory alone.
    - `reduction_a`: k, l, m, n of figure 7; null: those of table 1. `width` multiplies them.
    - `last_grid`: filters of the grid of C, whatever the width: section 3.3 sees nets die past 1000. Null: those of
      figures 12 and 18. Reduction-B's pool passes on the filters of grid B, so it must be more than those.
    - Dropout in the branch lies before the filter expansion. So does squeeze-and-excitation at the place `inside`;
      `standard` is behind the expansion. Stages 1 to 3 are A, B, C.

    Raises:
        ValueError: a `last_grid` that grid B alone fills, or a setting without effect; it names what fits.
    """

    family: Literal["inception_resnet"] = "inception_resnet"
    version: Literal["v1", "v2"] = "v2"
    layout: Literal["figures", "released"] = "figures"
    stem: Literal["small", "imagenet"] = "small"
    blocks: tuple[Blocks, Blocks, Blocks] | None = Field(None, description="A, B, C; null: as the layout has them")
    block_scales: tuple[Scale, Scale, Scale] = Field((1.0, 1.0, 1.0), description="of A, B, C")
    expansion: Literal["linear", "batch", "relu", "batch_relu"] = "linear"
    norm_on_sum: bool = False
    reduction_a: tuple[Filters, Filters, Filters, Filters] | None = Field(None, description="k, l, m, n")
    last_grid: int | None = Field(None, ge=1, description="filters of grid C")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.last_grid is not None:
            least = self.grid_filters[1] + len(_REDUCTION_B[self.version])
            if self.last_grid < least:
                raise ValueError(
                    f"last_grid = {self.last_grid}, but Reduction-B passes on the {self.grid_filters[1]} filters of "
                    f"grid B and adds at least one in each branch: the least is {least}; a smaller width lowers it"
                )
        if self.norm == "none" and (self.norm_on_sum or self.expansion.startswith("batch")):
            raise ValueError(
                "norm_on_sum and expansion 'batch' are batch norms, but norm is 'none': set norm to batch, "
                "or norm_on_sum to false and expansion to linear or relu"
            )
        if self.layout == "released" and self.num_blocks[2] == 1 and self.block_scales[2] != 1:
            raise ValueError(
                f"block_scales = {self.block_scales} scales no C block: of the released layout the last one has scale "
                "1, and here it is the only one. Set its third number to 1, or blocks to two or more C"
            )
        return self

    @property
    def num_blocks(self) -> tuple[int, int, int]:
        """Modules A, B, C."""
        return self.blocks or _BLOCKS[self.version, self.layout]

    @property
    def num_stages(self) -> int:
        return 3

    @property
    def filters_a(self) -> tuple[int, int, int, int]:
        """Reduction-A's k, l, m, n, before the width."""
        return self.reduction_a or _REDUCTION_A[self.version]

    @property
    def filters_b(self) -> tuple[int, int, int]:
        """What the convs at the end of Reduction-B's branches put out, in proportion to figure 12's or 18's."""
        ends = _REDUCTION_B[self.version]
        if self.last_grid is None:
            one, two, three = (widened(base, self.width) for base in ends)
            return one, two, three
        adds = self.last_grid - self.grid_filters[1]
        first, second = (round(adds * sum(ends[:count]) / sum(ends)) for count in (1, 2))
        return first, second - first, adds - second

    @property
    def grid_filters(self) -> tuple[int, int, int]:
        """Filters of the grids of A, B, C, such as 384, 1152 and 2144."""
        a = sum(widened(base, self.width) for base in _STEM[self.version, self.layout])
        b = a + sum(widened(base, self.width) for base in self.filters_a[2:])
        return a, b, self.last_grid or b + sum(self.filters_b)

    @property
    def min_size(self) -> int:
        return MIN_SIZES[self.stem]

    @property
    def name(self) -> str:
        released = "-released" if self.layout == "released" else ""
        last = f"-last{self.last_grid}" if self.last_grid is not None else ""
        usual = _BLOCKS[self.version, self.layout]
        return self.with_se(f"Inception-ResNet-{self.version}{released}{variant(self, self.num_blocks, usual)}{last}")

    @classmethod
    def published(cls) -> dict[str, Published]:
        table: dict[str, Published] = {}
        for (version, layout), source in _SOURCES.items():
            model = cls(version=version, layout=layout, stem="imagenet", block_scales=_RELEASED_SCALES,
                        dropout=0.2, dropout_placement="head")  # fmt: skip
            table[model.name] = Published(model, 3, 299, 1000, source)
        released = table["Inception-ResNet-v2-released"].model
        excited = released.model_copy(update={"se": SqueezeExcite(place="standard")})
        table["SE-Inception-ResNet-v2"] = Published(excited, 3, 299, 1000, f"{_SE}, Table 2, on the released layout")
        # As many multiply-adds as Inception-v4-digits within 2 %, at 8 to 28 pixels and equal widths from 0.125.
        small = cls(blocks=(1, 2, 1), width=0.25, residual_scale=0.1)
        table["Inception-ResNet-v2-digits"] = Published(small, 1, 8, 10, f"{PAPER}, Figure 15, for small images")
        return table


_SE = "Hu et al. 2018 (1709.01507)"
_SOURCES: dict[tuple[Literal["v1", "v2"], Literal["figures", "released"]], str] = {
    ("v1", "figures"): f"{PAPER}, Figures 10 to 15",
    ("v2", "figures"): f"{PAPER}, Figures 3 and 15 to 19",
    ("v1", "released"): "the facenet release",
    ("v2", "released"): "the TF-slim release",
}
