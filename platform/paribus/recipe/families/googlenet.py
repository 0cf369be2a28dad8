"""What Inception-v1 (GoogLeNet) and Inception-v2 (BN-Inception) have in common, the part of a recipe."""

from string import ascii_lowercase
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.components.component import kind_of
from paribus.recipe.components.layers import LRNorm
from paribus.recipe.families.family import Family, ModuleExcite
from paribus.recipe.part import Part

# As many as there are letters: 3a to 3z.
Count = Annotated[int, Field(ge=1, le=26)]


class AuxiliaryHeads(Part):
    """Classifiers on modules inside the net, trained beside the main one and left out in evaluation.

    GoogLeNet, section 5: average pool, 1x1 conv, fully connected layer, `dropout`, classifier; the paper has them on 4a
    and 4d. `norm` is that of the fully connected layer (Rethinking, section 4, finds that a batch norm or dropout there
    regularises the net); the 1x1 conv has the net's. `pool` is the paper's 5x5 at stride 3, which takes a 14x14 grid to
    4x4, or torchvision's pool to 4x4 of any grid, which below 14x14 both are.
    """

    at: tuple[str, ...] = Field((), description="names of modules, such as 4a; none by default")
    weight: float = Field(0.3, gt=0, le=10, description="of each head's loss in the loss that is trained on")
    norm: Literal["batch", "none"] = "none"
    dropout: float = Field(0.7, ge=0, lt=1)
    pool: Literal["5x5/3", "4x4"] = "5x5/3"


_NORM_NAMES = {"lrn": "LRN", "batch": "BN", "none": "plain"}


class GoogLeNet(Family):
    """A stem, three grids of Inception modules named 3a to 5b, average pool, classifier.

    - `stem`: `imagenet` takes 224 pixels to 28x28; `small`, for 8 to 64 pixels, has 3x3 at stride 1 in place of 7x7 at
      stride 2, and no pools (after pytorch-cifar100): grids of 32, 16 and 8 at 32 pixels.
    - `blocks`: modules on each grid; fewer than the paper's are its first, more repeat its last.
    - `large_conv`: the 5x5 of each module, the 3x3 that torchvision and TF-slim have there, or two 3x3.
    - `norm`: `batch` after every conv; `lrn`, local response normalisation twice in the stem; `none`.
    - `bias`: of convs that have a batch norm; those without one always have a bias.
    - `se`: squeeze-and-excitation on each module's concat, its stages the grids.

    Raises:
        ValueError: an auxiliary head on a module that is not there, a stage of `se` that is no grid, a `bias` beside no
            batch norm; the error names what fits.
    """

    stem: Literal["small", "imagenet"] = "small"
    blocks: tuple[Count, Count, Count]
    large_conv: Literal["5x5", "3x3", "two_3x3"]
    norm: LRNorm
    bias: bool = False
    dropout: float = Field(0.0, ge=0, lt=1, description="before the classifier")
    auxiliary: AuxiliaryHeads = AuxiliaryHeads()
    se: ModuleExcite = ModuleExcite()

    @property
    def modules(self) -> tuple[str, ...]:
        """The names of all modules, from the input up."""
        grids = zip("345", self.blocks, strict=True)
        return tuple(f"{grid}{letter}" for grid, count in grids for letter in ascii_lowercase[:count])

    @model_validator(mode="after")
    def _fits(self) -> Self:
        unknown = [name for name in self.auxiliary.at if name not in self.modules]
        if unknown:
            raise ValueError(f"auxiliary.at names {unknown[0]!r}, but this net has {', '.join(self.modules)}")
        if len(set(self.auxiliary.at)) < len(self.auxiliary.at):
            raise ValueError(f"auxiliary.at {self.auxiliary.at} names a module twice: each can have one head")
        self.se.check_stages(len(self.blocks))
        if self.bias and self.norm in ("lrn", "none"):
            raise ValueError(f"bias has no effect with norm {self.norm!r}, whose convs have one: set bias to false")
        return self

    def described(self, name: str, usual: "GoogLeNet") -> str:
        """`name` and what of this net differs from `usual`."""
        marks = (
            "" if self.norm == usual.norm else _NORM_NAMES.get(kind_of(self.norm), kind_of(self.norm)),
            "" if self.large_conv == usual.large_conv else self.large_conv,
            "bias" if self.bias else "",
            "small" if self.stem == "small" else "",
            "" if self.blocks == usual.blocks else "/".join(map(str, self.blocks)),
            "aux" if self.auxiliary.at else "",
            "" if self.width == 1 else f"x{self.width:g}",
        )
        return "-".join(part for part in ("SE" if self.se.place != "none" else "", name, *marks) if part)
