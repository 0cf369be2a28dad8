"""The layers that a net is made of and that a recipe may choose: activation, normalisation, attention."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from paribus.recipe.components.component import NoArguments, Place, Value
from paribus.recipe.part import Part


class LeakyReLU(Part):
    """`x` above 0, `negative_slope * x` below (Maas et al. 2013)."""

    negative_slope: float = Field(0.01, ge=0, lt=1)


class ELU(Part):
    """`x` above 0, `alpha (exp(x) - 1)` below (Clevert et al. 2016, arXiv 1511.07289)."""

    alpha: float = Field(1.0, gt=0)


class PReLU(Part):
    """Leaky ReLU whose slope is learned, one a channel (He et al. 2015, arXiv 1502.01852), from `initial` on."""

    initial: float = 0.25


class Groups(Part):
    """Group norm (Wu and He 2018, arXiv 1803.08494) over `groups` groups: the most that divide the channels."""

    groups: int = Field(32, ge=1)


class ECA(Part):
    """Efficient channel attention (Wang et al. 2020, arXiv 1910.03151): a conv of size `kernel` over the channels."""

    kernel: Literal[1, 3, 5, 7, 9] = 3


class CBAM(Part):
    """Channel, then spatial attention (Woo et al. 2018, arXiv 1807.06521), r = `ratio`, a conv of side `kernel`."""

    ratio: int = Field(16, ge=1)
    kernel: Literal[1, 3, 5, 7, 9] = 7


ACTIVATIONS: dict[str, type[BaseModel]] = {
    "relu": NoArguments,
    "gelu": NoArguments,
    "silu": NoArguments,
    "leaky_relu": LeakyReLU,
    "mish": NoArguments,
    "elu": ELU,
    "selu": NoArguments,
    "prelu": PReLU,
    "relu6": NoArguments,
    "hardswish": NoArguments,
    "softplus": NoArguments,
    "tanh": NoArguments,
    "tlu": NoArguments,
}
NORMS: dict[str, type[BaseModel]] = {
    "batch": NoArguments,
    "group": Groups,
    "layer": NoArguments,
    "instance": NoArguments,
    "filter_response": NoArguments,
    "none": NoArguments,
}
ATTENTIONS: dict[str, type[BaseModel]] = {"squeeze_excite": NoArguments, "eca": ECA, "cbam": CBAM}

Activation = Annotated[Value, Place("activation", ACTIVATIONS)]
Norm = Annotated[Value, Place("norm", NORMS)]
LRNorm = Annotated[Value, Place("norm", {"lrn": NoArguments, **NORMS})]
Attention = Annotated[Value, Place("attention", ATTENTIONS)]
