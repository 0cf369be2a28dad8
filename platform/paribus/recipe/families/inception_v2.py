"""Inception-v2 as the batch-norm paper has it, or BN-Inception, the part of a recipe."""

from typing import Literal

from paribus.recipe.components.layers import LRNorm
from paribus.recipe.families.family import ModuleExcite, Published
from paribus.recipe.families.googlenet import Count, GoogLeNet


class InceptionV2(GoogLeNet):
    """BN-Inception (Ioffe and Szegedy 2015, arXiv 1502.03167, section 4.2 and figure 5).

    The last module of the grids 3 and 4 halves the grid, its pool beside its convs. Where the paper's printed shapes
    disagree with its filter counts, these go before, as in the Caffe release (4c and 4d sum to 608). The net of the
    same name in "Rethinking the Inception architecture" is an Inception-v3, its `stem` 7x7. The released weights have a
    `bias` beside each batch norm, which adds nothing to the norm's own shift. The other fields: see `GoogLeNet`.
    """

    family: Literal["inception_v2"] = "inception_v2"
    blocks: tuple[Count, Count, Count] = (3, 5, 2)
    large_conv: Literal["5x5", "3x3", "two_3x3"] = "two_3x3"
    norm: LRNorm = "batch"

    @property
    def min_size(self) -> int:
        # conv1 and two pools, each of which needs two pixels; the modules that halve the grid take one.
        return 7 if self.stem == "imagenet" else 1

    @property
    def name(self) -> str:
        return self.described("BN-Inception", InceptionV2())

    @classmethod
    def published(cls) -> dict[str, Published]:
        plain = cls(stem="imagenet")
        biased = plain.model_copy(update={"bias": True})
        excited = plain.model_copy(update={"se": ModuleExcite(place="standard")})
        return {
            "BN-Inception": Published(plain, 3, 224, 1000, _PAPER),
            "BN-Inception-bias": Published(biased, 3, 224, 1000, "the Caffe release, with biases"),
            "SE-BN-Inception": Published(excited, 3, 224, 1000, "Hu et al. 2018 (1709.01507), Table 2"),
        }


_PAPER = "Ioffe and Szegedy 2015 (1502.03167), Figure 5"
