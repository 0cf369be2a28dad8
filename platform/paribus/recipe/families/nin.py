"""Network in Network, the part of a recipe."""

from typing import Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.components.layers import Norm
from paribus.recipe.families.family import Family, Published

_PAPER = ((192, 160, 96), (192, 192, 192), (192, 192))


class NIN(Family):
    """Network in Network (Lin et al. 2014, arXiv 1312.4400, section 3, figure 2), for images of any size.

    Each entry of `mlpconvs` is one mlpconv layer: the channels of its k x k conv (k of `kernels`), then of its 1x1
    convs, a ReLU after each; one number is a plain conv. `pools` (3x3 at stride 2) and `dropout` lie between them.

    `head`: `average` ends the last mlpconv in one more 1x1 conv with ReLU, to a map for each class, and averages it
    (section 3.2); `connected` puts a fully connected layer on an 8x8 grid of the same maps, after dropout at
    `head_dropout` (Table 5; the grid is the paper's at 32 pixels, and an average of larger maps); `linear` averages the
    last mlpconv as it is and classifies that, as `nin.lua` of the Wide ResNet release does, whose `norm` is batch. The
    default widths are those of the released network; the paper prints none.

    Raises:
        ValueError: `kernels` or `pools` that do not fit `mlpconvs`, an even kernel.
    """

    family: Literal["nin"] = "nin"
    mlpconvs: tuple[tuple[int, ...], ...] = Field(_PAPER, min_length=1, description="channels, before the width")
    kernels: tuple[int, ...] = Field((5, 5, 3), description="of the first conv of each mlpconv; odd")
    pools: tuple[Literal["max", "average"], ...] = ("max", "average")
    dropout: float = Field(0.5, ge=0, lt=1, description="after each pool")
    norm: Norm = "none"
    head: Literal["average", "connected", "linear"] = "average"
    head_dropout: float = Field(0.0, ge=0, lt=1, description="before the fully connected layer")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        count = len(self.mlpconvs)
        if any(not channels or min(channels) < 1 for channels in self.mlpconvs):
            raise ValueError("each of mlpconvs should be the channels, from 1, of at least one conv: (192, 160, 96)")
        if len(self.kernels) != count:
            raise ValueError(f"{count} mlpconvs need {count} kernels, one each, not {len(self.kernels)}")
        even = [kernel for kernel in self.kernels if kernel < 1 or kernel % 2 == 0]
        if even:
            near = f"{even[0] - 1} and {even[0] + 1}" if even[0] > 1 else "1 and 3"
            raise ValueError(
                f"kernel {even[0]} is not odd, as padding that keeps the size needs: the nearest are {near}"
            )
        if len(self.pools) != count - 1:
            raise ValueError(
                f"{count} mlpconvs need {count - 1} pools, one between any two of them, not {len(self.pools)}"
            )
        if self.head_dropout > 0 and self.head == "average":
            raise ValueError(
                "head_dropout acts before a fully connected layer, and head 'average' has none: "
                "set head_dropout to 0, or head to connected or linear"
            )
        return self

    @property
    def min_size(self) -> int:
        # Each pool halves the map, rounded up, and needs two pixels.
        return int(2 ** len(self.pools))

    @property
    def name(self) -> str:
        parts = [
            "NIN",
            "BN" if self.norm == "batch" else "",
            {"average": "", "connected": "FC", "linear": "linear"}[self.head],
            "" if self.width == 1 else f"x{self.width:g}",
        ]
        return "-".join(part for part in parts if part)

    @classmethod
    def published(cls) -> dict[str, Published]:
        released = cls(mlpconvs=(*_PAPER[:2], (192, 192, 192)), norm="batch", head="linear", dropout=0.0)
        return {
            "NIN": Published(cls(), 3, 32, 10, f"{_SOURCE}, Table 1"),
            "NIN-CIFAR-100": Published(cls(), 3, 32, 100, f"{_SOURCE}, Table 2"),
            "NIN-FC": Published(cls(head="connected"), 3, 32, 10, f"{_SOURCE}, Table 5"),
            "NIN-FC-dropout": Published(cls(head="connected", head_dropout=0.5), 3, 32, 10, f"{_SOURCE}, Table 5"),
            "NIN-BN": Published(released, 3, 32, 10, "nin.lua of the Wide ResNet release"),
        }


_SOURCE = "Lin et al. 2014 (1312.4400)"
