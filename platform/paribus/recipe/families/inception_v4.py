"""Inception-v4, the part of a recipe."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.components.layers import Norm
from paribus.recipe.families.family import Family, ModuleExcite, Published

Blocks = Annotated[int, Field(ge=1, le=1000)]
Filters = Annotated[int, Field(ge=1)]


class InceptionV4(Family):
    """Inception-v4 without residual connections (Szegedy et al. 2017, arXiv 1602.07261, figure 9).

    `blocks` are the modules A, B and C on the grids of 35, 17 and 8 pixels (at 299). `reduction_a` are the filters k,
    l, m, n of Reduction-A (figure 7, table 1), `width` multiplies them too. `order` says whether the stem's, B's and
    C's pairs of 1xn and nx1 convs come as in figures 3, 5 and 6 or turned round, as in the released code (slim, timm).
    The `small` stem is figure 3 with no stride and no loss of pixels, for images of 7 to 64 pixels. `se` puts
    squeeze-and-excitation on each module's concat, its stages the grids (a reduction is of the grid that it makes).

    Raises:
        ValueError: a block or filter count below 1, a stage of `se` that is no grid.
    """

    family: Literal["inception_v4"] = "inception_v4"
    stem: Literal["small", "imagenet"] = "small"
    blocks: tuple[Blocks, Blocks, Blocks] = (4, 7, 3)
    order: Literal["released", "figure"] = "released"
    reduction_a: tuple[Filters, Filters, Filters, Filters] = Field((192, 224, 256, 384), description="k, l, m, n")
    dropout: float = Field(0.0, ge=0, lt=1, description="before the classifier; the paper's is 0.2")
    norm: Norm = "batch"
    se: ModuleExcite = ModuleExcite()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.se.check_stages(len(self.blocks))
        return self

    @property
    def min_size(self) -> int:
        return MIN_SIZES[self.stem]

    @property
    def name(self) -> str:
        order = "-figures" if self.order == "figure" else ""
        excited = "SE-" if self.se.place != "none" else ""
        return f"{excited}Inception-v4{order}{variant(self, self.blocks, (4, 7, 3))}"

    @classmethod
    def published(cls) -> dict[str, Published]:
        model = cls(stem="imagenet", dropout=0.2)
        figure = cls(stem="imagenet", dropout=0.2, order="figure")
        small = cls(blocks=(1, 1, 1), width=0.25)
        return {
            "Inception-v4": Published(model, 3, 299, 1000, f"{PAPER}, Figure 9; the order of the release"),
            "Inception-v4-figures": Published(figure, 3, 299, 1000, f"{PAPER}, Figures 3 to 9"),
            "Inception-v4-digits": Published(small, 1, 8, 10, f"{PAPER}, Figure 9, for small images"),
        }


PAPER = "Szegedy et al. 2017 (1602.07261)"
# The maps that the strided, unpadded convs and pools leave at least one pixel.
MIN_SIZES = {"imagenet": 75, "small": 7}


def variant(model: Family, blocks: tuple[int, ...], usual: tuple[int, ...]) -> str:
    """What a name adds to the paper's, for other block counts or another width: `(1,1,1)-x0.25`."""
    counts = "" if blocks == usual else f"({','.join(map(str, blocks))})"
    return counts + ("" if model.width == 1 else f"-x{model.width:g}")
