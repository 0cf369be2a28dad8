"""Random variation beyond crops and flips: torchvision's, mixed batches, or a user's own."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from paribus.recipe.components.component import NoArguments, Place, Value
from paribus.recipe.part import Part


class RandAugment(Part):
    """`operations` in a row, drawn from 14, each at `magnitude` of 30 (Cubuk et al. 2020, arXiv 1909.13719)."""

    operations: int = Field(2, ge=1, le=14)
    magnitude: int = Field(9, ge=0, le=30)


class AutoAugment(Part):
    """The learned policies of Cubuk et al. 2019 (arXiv 1805.09501); `policy` is the set that they were learned on."""

    policy: Literal["imagenet", "cifar10", "svhn"] = "imagenet"


class AugMix(Part):
    """A mixture of `width` chains of operations of a `severity` of 1 to 10 (Hendrycks et al. 2020, 1912.02781)."""

    severity: int = Field(3, ge=1, le=10)
    width: int = Field(3, ge=1, le=10)


class ColourJitter(Part):
    """`brightness`, `contrast` and `saturation` drawn from 1 - x to 1 + x, `hue` from -x to x of the circle, in a drawn
    order (torchvision)."""

    brightness: float = Field(0.4, ge=0)
    contrast: float = Field(0.4, ge=0)
    saturation: float = Field(0.4, ge=0)
    hue: float = Field(0.0, ge=0, le=0.5)


class RandomErasing(Part):
    """With `probability` a box of `min_area` to `max_area` of the image, aspect 0.3 to 3.3, is set to the mean
    (Zhong et al. 2020, arXiv 1708.04896)."""

    probability: float = Field(0.25, ge=0, le=1)
    min_area: float = Field(0.02, gt=0, le=1)
    max_area: float = Field(0.33, gt=0, le=1)


class MixUp(Part):
    """`l x_i + (1 - l) x_j` and so the labels, l ~ `Beta(alpha, alpha)` (Zhang et al. 2018, arXiv 1710.09412)."""

    alpha: float = Field(0.2, gt=0)


class CutMix(Part):
    """A box of x_j over x_i, of an area 1 - l, l ~ `Beta(alpha, alpha)` (Yun et al. 2019, arXiv 1905.04899)."""

    alpha: float = Field(1.0, gt=0)


POLICIES: dict[str, type[BaseModel]] = {
    "none": NoArguments,
    "rand_augment": RandAugment,
    "trivial_augment": NoArguments,
    "auto_augment": AutoAugment,
    "aug_mix": AugMix,
}
COLOURS: dict[str, type[BaseModel]] = {"none": NoArguments, "colour_jitter": ColourJitter}
ERASINGS: dict[str, type[BaseModel]] = {"none": NoArguments, "random_erasing": RandomErasing}
MIXES: dict[str, type[BaseModel]] = {"none": NoArguments, "mixup": MixUp, "cutmix": CutMix}

Policy = Annotated[Value, Place("augmentation", POLICIES)]
Colour = Annotated[Value, Place("augmentation", COLOURS)]
Erasing = Annotated[Value, Place("augmentation", ERASINGS)]
Mix = Annotated[Value, Place("augmentation", MIXES)]
