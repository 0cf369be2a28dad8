"""Inception-v1, or GoogLeNet, the part of a recipe."""

from typing import Literal

from pydantic import Field

from paribus.recipe.components.layers import LRNorm
from paribus.recipe.families.family import Published
from paribus.recipe.families.googlenet import AuxiliaryHeads, Count, GoogLeNet


class InceptionV1(GoogLeNet):
    """GoogLeNet (Szegedy et al. 2015, "Going deeper with convolutions", arXiv 1409.4842, table 1, figures 2 and 3).

    The defaults are the paper's: a 5x5 branch, biases, local response normalisation. torchvision's net has batch norm
    everywhere, 3x3 in place of 5x5 and the last pool 2x2. Both are published below, with both auxiliary heads and with
    none: the numbers of parameters that papers print leave the heads out. The other fields: see `GoogLeNet`.
    """

    family: Literal["inception_v1"] = "inception_v1"
    blocks: tuple[Count, Count, Count] = (2, 5, 2)
    large_conv: Literal["5x5", "3x3", "two_3x3"] = "5x5"
    norm: LRNorm = "lrn"
    last_pool: Literal["3x3", "2x2"] = Field("3x3", description="before 5a, at stride 2; torchvision has 2x2")
    dropout: float = Field(0.4, ge=0, lt=1, description="before the classifier")

    @property
    def min_size(self) -> int:
        # A 3x3 pool at stride 2 halves a map, rounded up, and needs two pixels; a 2x2 pool takes one.
        before_pools = 2 ** ((3 if self.stem == "imagenet" else 1) + (self.last_pool == "3x3"))
        return int(2 * before_pools - 1 if self.stem == "imagenet" else before_pools)

    @property
    def name(self) -> str:
        return self.described("GoogLeNet", InceptionV1())

    @classmethod
    def published(cls) -> dict[str, Published]:
        paper = cls(stem="imagenet")
        layouts = {
            "": (paper, f"{_PAPER}, Table 1"),
            "-BN": (paper.model_copy(update=_TORCHVISION), "torchvision googlenet"),
        }
        table: dict[str, Published] = {}
        for suffix, (model, source) in layouts.items():
            heads = AuxiliaryHeads(at=("4a", "4d"), pool="4x4" if suffix else "5x5/3")
            both = model.model_copy(update={"auxiliary": heads})
            table[f"GoogLeNet{suffix}"] = Published(model, 3, 224, 1000, source)
            table[f"GoogLeNet{suffix}-aux"] = Published(both, 3, 224, 1000, f"{source}, with the auxiliary heads")
        return table


_TORCHVISION = {"norm": "batch", "large_conv": "3x3", "last_pool": "2x2", "dropout": 0.2}
_PAPER = "Szegedy et al. 2015 (1409.4842)"
