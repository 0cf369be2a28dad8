"""What is minimised. `training.label_smoothing` and mixed labels (`augment.mix`) go with every kind."""

from typing import Annotated

from pydantic import BaseModel, Field

from paribus.recipe.components.component import NoArguments, Place, Value
from paribus.recipe.part import Part


class Focal(Part):
    """`sum_k t_k (1 - p_k)^gamma (-log p_k)` (Lin et al. 2017, arXiv 1708.02002, equation 4).

    `gamma` 0 is cross-entropy.
    """

    gamma: float = Field(2.0, ge=0, le=20)


# `bce` is the mean over the classes of the binary cross-entropy (Wightman et al. 2021, arXiv 2110.00476, section 3.1).
LOSSES: dict[str, type[BaseModel]] = {"cross_entropy": NoArguments, "focal": Focal, "bce": NoArguments}
Loss = Annotated[Value, Place("loss", LOSSES)]
