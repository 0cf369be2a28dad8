"""What every model family's part of a recipe has: a width, a name, a smallest input, and the nets that papers name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from paribus.recipe.components.component import kind_of
from paribus.recipe.components.layers import Activation, Attention, Norm
from paribus.recipe.part import Part, added


class Family(Part):
    """A conv-net family; each states its own `family` tag and joins the union in `recipe/model.py`.

    Where it has a `stem`, `small` is for small images and `imagenet` for those of ImageNet. `norm` is what its convs
    are normalised by.
    """

    family: str
    width: float = Field(1.0, gt=0, le=64, description="multiplies the channels of every stage; may be fractional")
    activation: Activation = added("relu", description="in place of every ReLU but those of attention")

    @property
    def name(self) -> str:
        """What the papers call this net, such as `WRN-28-10`."""
        raise NotImplementedError

    @property
    def min_size(self) -> int:
        """The smallest side of an input, in pixels, that leaves every feature map at least one pixel."""
        return 1

    @classmethod
    def published(cls) -> "dict[str, Published]":
        """The nets of this family that papers and releases name, by name."""
        raise NotImplementedError

    def check_size(self, size: int) -> None:
        """Raise ValueError, naming the minimum, for an input whose side (pixels) is too small for this net."""
        if size < self.min_size:
            has_smaller = getattr(self, "stem", "small") != "small"
            remedy = ", or take the stem for small images, model.stem=small" if has_smaller else ""
            raise ValueError(
                f"an input of {size} pixels is too small for {self.name}: its minimum is {self.min_size}. "
                f"Raise data.size{remedy}"
            )


def widened(base: int, width: float) -> int:
    """`base * width` channels, to the nearest whole number (halves up), at least 1."""
    return max(1, int(base * width + 0.5))


@dataclass(frozen=True)
class Published:
    """A model with the input and classes it was published for."""

    model: Family
    channels: int  # of the input
    size: int  # side of the input in pixels
    num_classes: int
    source: str


class SqueezeExcite(Part):
    """Squeeze-and-excitation (Hu et al. 2018, section 3): `x * gate(W2 relu(W1 squeeze(x)))`, W1 with C / r outputs.

    `place` is that of figure 5 and table 14: `standard` on the branch before the sum, `pre` before the branch, `post`
    after the sum, `identity` on the shortcut, `inside` behind the branch's 3x3 conv. `squeeze` is the pooling, of which
    `none` is the paper's NoSqueeze: 1x1 convs on the whole map. `gate` is the last function, the paper's sigmoid or one
    that it tries instead.
    """

    place: Literal["none", "standard", "pre", "post", "identity", "inside"] = "none"
    reduction: int = Field(16, ge=1, description="r; the hidden layer has C / r units, at least one")
    squeeze: Literal["average", "max", "none"] = "average"
    gate: Literal["sigmoid", "tanh", "relu"] = "sigmoid"
    bias: bool = Field(True, description="the released models have biases, the paper's ablations none")
    stages: tuple[int, ...] | None = Field(None, description="counted from 1, as in table 15; null: all of them")
    module: Attention = added("squeeze_excite", description="what stands at `place`: this, another, or one's own")

    @model_validator(mode="after")
    def _of_squeeze_excite(self) -> Self:
        usual = type(self).model_fields
        if self.module != "squeeze_excite":
            for name in ("reduction", "squeeze", "gate", "bias"):
                if getattr(self, name) != usual[name].default:
                    raise ValueError(
                        f"se.{name} belongs to squeeze_excite, and se.module is {kind_of(self.module)!r}: leave it out"
                    )
        return self

    def at(self, stage: int) -> bool:
        """Whether units of `stage`, counted from 1, have one."""
        return self.place != "none" and (self.stages is None or stage in self.stages)

    def check_stages(self, num_stages: int) -> None:
        """Raise ValueError for no stages, or for some that a net of `num_stages` does not have."""
        if self.stages == ():
            raise ValueError("se.stages is empty: null means all stages, and se.place 'none' means none")
        wrong = [stage for stage in self.stages or () if not 1 <= stage <= num_stages]
        if wrong:
            raise ValueError(f"se.stages names {', '.join(map(str, wrong))}, but this net has stages 1 to {num_stages}")


class ModuleExcite(SqueezeExcite):
    """Squeeze-and-excitation of modules without a residual branch: on what a module puts out (Hu et al., figure 2)."""

    place: Literal["none", "standard"] = "none"


class StochasticDepth(Part):
    """Branches left out at random in training (Huang et al. 2016, arXiv 1603.09382, section 3).

    Unit l of L is kept with probability `1 - (l / L) (1 - survival)` where `rule` is `linear`, with `survival` where
    it is `uniform`. As `mode` says, it is drawn once a `batch`, as in the paper, or for each image (`row`). In
    evaluation a branch counts with its probability.
    """

    survival: float = Field(1.0, gt=0, le=1, description="p_L, of the last unit; 1 keeps all")
    rule: Literal["linear", "uniform"] = "linear"
    mode: Literal["batch", "row"] = "batch"

    def chances(self, num_units: int) -> list[float]:
        """The probability of each of `num_units` units to be kept, from the input up."""
        if self.rule == "uniform":
            return [self.survival] * num_units
        return [1 - unit / num_units * (1 - self.survival) for unit in range(1, num_units + 1)]


class Residual(Family):
    """A family with residual units, `y = shortcut_scale * shortcut(x) + residual_scale * f(x)`.

    These fields mean the same wherever there is a branch f, "an arbitrary subnetwork" (Inception-v4, figure 20).
    `dropout` of features lies where `dropout_placement` says: inside each branch, on each shortcut, or before the
    classifier (`head`).
    """

    residual_scale: float = Field(1.0, gt=0, le=10, description="Inception-v4, section 3.3: 0.1 to 0.3")
    shortcut_scale: float = Field(1.0, ge=0, le=10, description="ResNet-v2, section 3.1; 0 leaves the shortcut out")
    dropout: float = Field(0.0, ge=0, lt=1)
    dropout_placement: Literal["none", "branch", "shortcut", "head"] = "none"
    norm: Norm = "batch"
    stochastic_depth: StochasticDepth = StochasticDepth()
    se: SqueezeExcite = SqueezeExcite()

    @model_validator(mode="after")
    def _units_without_shortcut(self) -> Self:
        if self.shortcut_scale > 0:
            return self
        if self.stochastic_depth.survival < 1:
            raise ValueError(
                f"stochastic_depth.survival = {self.stochastic_depth.survival:g} leaves branches out, but with "
                "shortcut_scale = 0 nothing else carries the signal: set one of them to 1"
            )
        if self.se.place == "identity":
            raise ValueError("se.place 'identity' lies on a shortcut, but shortcut_scale = 0 leaves it out")
        if self.dropout_placement == "shortcut" and self.dropout > 0:
            raise ValueError(f"dropout = {self.dropout:g} lies on a shortcut, but shortcut_scale = 0 leaves it out")
        return self

    @property
    def num_stages(self) -> int:
        """Stages of residual units."""
        raise NotImplementedError

    def with_se(self, plain: str) -> str:
        """The name of a net called `plain` without squeeze-and-excitation, as the papers have it."""
        return plain if self.se.place == "none" else f"SE-{plain}"

    @model_validator(mode="after")
    def _stages_exist(self) -> Self:
        self.se.check_stages(self.num_stages)
        return self


def split_depth(depth: int, convs_per_unit: int, num_stages: int, blocks: Sequence[int] | None) -> tuple[int, ...]:
    """Units of each stage of a net of `depth` layers: a first conv, `num_stages` stages, and a classifier.

    Raises:
        ValueError: `depth` is not `convs_per_unit * units + 2`, the units not the same in all stages, or not those of
            `blocks`; it names what fits.
    """
    if blocks is not None:
        fits = convs_per_unit * sum(blocks) + 2
        if len(blocks) != num_stages or min(blocks) < 1:
            raise ValueError(f"blocks {tuple(blocks)} should be {num_stages} counts from 1, one for each stage")
        if depth != fits:
            raise ValueError(f"blocks {tuple(blocks)} make a net of depth {fits}, not {depth}: set model.depth={fits}")
        return tuple(blocks)
    period = convs_per_unit * num_stages
    if depth < period + 2 or (depth - 2) % period:
        below = max(2 + (depth - 2) // period * period, period + 2)
        near = f"the nearest are {below} and {below + period}" if depth > period + 2 else f"the nearest is {period + 2}"
        raise ValueError(
            f"depth {depth} is not {period}n + 2 ({num_stages} stages of n units with {convs_per_unit} convs each): "
            f"{near}; or give unequal stages as blocks"
        )
    return ((depth - 2) // period,) * num_stages
