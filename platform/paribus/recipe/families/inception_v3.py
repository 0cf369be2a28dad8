"""Inception-v3, the part of a recipe."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from paribus.recipe.components.layers import Norm
from paribus.recipe.families.family import Family, ModuleExcite, Published
from paribus.recipe.part import Part

Grid = Literal[35, 17, 8]
Count = Annotated[int, Field(ge=1, le=1000)]
# Backwards from one pixel on the last grid, by resolution: each reduction asks for 3, then 7, the stems for these.
_MIN_SIZES = {299: 75, 151: 39, 79: 21}
_SMALL_MIN_SIZE = 7
_COUNTS = (3, 4, 2)


class AuxiliaryHead(Part):
    """The classifier on the last 17x17 grid (section 4, figure 8), which runs in training alone.

    `norm` is that of its hidden layer: batch is the paper's BN-auxiliary. Its 1x1 conv has the norm of the net.
    `dropout` acts before its classifier. The paper finds that with either of them it regularises the main one.
    """

    weight: float = Field(0.0, ge=0, le=10, description="of its loss; 0: no head. TF-slim 0.4, torchvision 0.3")
    norm: Literal["batch", "none"] = "batch"
    dropout: float = Field(0.0, ge=0, lt=1)


class InceptionV3(Family):
    """Inception-v3 (Szegedy et al. 2015, "Rethinking the Inception architecture", arXiv 1512.00567).

    With the `imagenet` stem, this is the released layout of TF-slim, torchvision and timm. Grids are named by their
    side at 299 pixels.

    - `stem`: `table1` is the one that the paper prints, 35x35x288 into the first module; `7x7` has one conv 7x7/2 in
      place of three 3x3, as the paper's "Inception-v2" (table 3); `small` is for 8 to 64 pixels: stride 1, padded, no
      pools (pytorch-cifar100 leaves its last conv unpadded, which 8 pixels do not survive).
    - `resolution`: the input that the first layers are for, at constant cost (section 6, table 2): 299 has stride 2 and
      a pool, 151 stride 1 and a pool, 79 neither. Inputs of any other side from `min_size` are legal: 151 pixels into
      the net for 299 are the naive arm of that experiment, at a fifth of the cost.
    - `blocks`: modules on the grids 35 (figure 5), 17 (figure 6) and 8 (figure 7).
    - `large_conv`: the 5x5 of the modules on 35 as released, or the two 3x3 of figure 5 (section 3.1).
    - `factorised`: the grids on which n x n convs are 1 x n and n x 1 (section 3.2). n is `kernel` on 17; on 8 it is 3;
      on 35 it is 3, and 5 of the 5x5.
    - `between`: what stands between the convs that a larger one was factorised in, its norm apart (figure 2).
    - `reduction`: of a grid, by conv beside pool (figure 10), or one after the other (figure 9): `pool_first` makes a
      bottleneck, `pool_last` costs more. All three have the same parameters.
    - `se`: squeeze-and-excitation on each module's concat; its stages are the grids, from 1.

    Raises:
        ValueError: settings that do not fit each other; the error names those that do.
    """

    family: Literal["inception_v3"] = "inception_v3"
    stem: Literal["small", "imagenet", "table1", "7x7"] = "small"
    resolution: Literal[299, 151, 79] = Field(299, description="input side in pixels that the stem is for")
    blocks: tuple[Count, Count, Count] = _COUNTS
    large_conv: Literal["5x5", "two_3x3"] = "5x5"
    factorised: tuple[Grid, ...] = (17, 8)
    kernel: int = Field(7, ge=3, le=15, description="n of the n x n convs on the grid 17, odd")
    between: Literal["relu", "none"] = "relu"
    reduction: Literal["parallel", "pool_first", "pool_last"] = "parallel"
    auxiliary: AuxiliaryHead = AuxiliaryHead()
    dropout: float = Field(0.0, ge=0, lt=1, description="before the classifier; TF-slim 0.2, torchvision 0.5")
    norm: Norm = "batch"
    se: ModuleExcite = ModuleExcite()

    @field_validator("factorised", mode="before")
    @classmethod
    def _one_grid(cls, value: object) -> object:
        """One grid, or none, as a command line gives them: `--set model.factorised=17`."""
        if type(value) is int:
            return (value,)
        return () if value == "none" else tuple(value) if isinstance(value, list) else value

    @field_validator("factorised")
    @classmethod
    def _one_order(cls, value: tuple[Grid, ...]) -> tuple[Grid, ...]:
        """Largest grid first, so that one net has one identity."""
        return tuple(sorted(set(value), reverse=True))

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(
                f"kernel {self.kernel} is even and would shift the grid: the nearest are {self.kernel - 1} and "
                f"{self.kernel + 1}"
            )
        if self.resolution != 299 and self.stem in ("7x7", "small"):
            raise ValueError(
                f"resolution {self.resolution} changes the first three 3x3 convs, which the stem {self.stem!r} does "
                "not have or keeps at stride 1: set resolution to 299, or stem to imagenet or table1"
            )
        self.se.check_stages(len(self.blocks))
        return self

    @property
    def min_size(self) -> int:
        return _SMALL_MIN_SIZE if self.stem == "small" else _MIN_SIZES[self.resolution]

    @property
    def name(self) -> str:
        marks = (
            "" if self.stem == "imagenet" else self.stem,
            "" if self.resolution == 299 else str(self.resolution),
            "" if self.blocks == _COUNTS else f"({','.join(map(str, self.blocks))})",
            "aux" if self.auxiliary.weight else "",
            "" if self.width == 1 else f"x{self.width:g}",
        )
        excited = "SE-" if self.se.place != "none" else ""
        return excited + "-".join(("Inception-v3", *filter(None, marks)))

    @classmethod
    def published(cls) -> dict[str, Published]:
        released = cls(stem="imagenet", dropout=0.2)
        table: dict[str, Published] = {}
        for changes, size, source in (
            ({}, 299, "Table 3, without its auxiliary head; TF-slim, torchvision"),
            ({"auxiliary": AuxiliaryHead(weight=0.4)}, 299, "Table 3, BN-auxiliary; TF-slim, torchvision"),
            ({"stem": "table1"}, 299, "Table 1 as printed"),
            ({"resolution": 151}, 151, "Table 2, stride 1 and max pool"),
            ({"resolution": 79}, 79, "Table 2, stride 1 and no pool"),
        ):
            model = released.model_copy(update=changes)
            table[model.name] = Published(model, 3, size, 1000, f"{_PAPER}, {source}")
        v2 = released.model_copy(update={"stem": "7x7", "auxiliary": AuxiliaryHead(weight=0.4, norm="none")})
        table["Inception-v2-Rethinking"] = Published(v2, 3, 299, 1000, f"{_PAPER}, Table 3, whose Inception-v2 it is")
        small = cls(blocks=(1, 1, 1), width=0.25)
        table["Inception-v3-digits"] = Published(small, 1, 8, 10, f"{_PAPER}, for small images")
        return table


_PAPER = "Szegedy et al. 2015 (1512.00567)"
