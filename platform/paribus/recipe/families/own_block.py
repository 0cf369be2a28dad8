"""Wide ResNets and ResNets of a user's own blocks: `model.block="my_parts:Block"`."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import model_validator

from paribus.recipe.components.component import CALLED_WITH, GIVEN, Component, Place, Value, as_text, checked, written
from paribus.recipe.components.own import canonical, is_own
from paribus.recipe.components.recorded import taken
from paribus.recipe.errors import RecipeError
from paribus.recipe.families.family import Published, Residual
from paribus.recipe.families.resnet import ResNet, units
from paribus.recipe.families.wide_resnet import WideResNet

# The depths with the imagenet stem: a block of one's own counts as two convolutions, as a basic one does.
_DEPTHS = (18, 34)


class _Block(Place):
    """A block of a user's; those of ours have no names, and are what a family's own field takes."""

    # What Paribus passes it, beside what it passes every layer.
    given: ClassVar[frozenset[str]] = GIVEN | CALLED_WITH | {"in_channels", "out_channels", "stride"}

    def check(self, value: Any) -> Value:
        fields = written(value, self.name)
        kind = fields.pop("kind", None)
        if not isinstance(kind, str) or not is_own(kind):
            raise RecipeError(f"{value!r} is no block of your own: write module:Name, such as my_parts:Separable")
        kind = canonical(kind, self.name)
        chosen = checked(taken(kind, self.name, self.given), fields, f"block {kind!r}")
        return Component(kind=kind, **chosen) if chosen else kind


Block = Annotated[Value, _Block("block", {})]


class OfBlocks(Residual):
    """A family whose residual branch f is a user's block, with the family's norms, ReLUs and shortcuts around it.

    Raises:
        ValueError: `se.place` 'inside', which is within blocks of ours.
    """

    block: Block

    @classmethod
    def published(cls) -> dict[str, Published]:
        return {}

    def of_blocks(self) -> Self:
        """The part itself; ValueError as the class says."""
        if self.se.place == "inside":
            raise ValueError("se.place 'inside' lies within blocks of ours, and block is your own: take 'standard'")
        return self


class WideResNetOfBlocks(OfBlocks, WideResNet):
    """A Wide ResNet of a user's blocks: the channels, strides and number of its own of B(3, 3)."""

    block: Block  # type: ignore[assignment]

    @classmethod
    def _block_from_text(cls, value: object) -> object:
        return value

    @classmethod
    def _kernels(cls, value: Any) -> Any:
        return value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.stem == "small":
            self._fits_small()
        elif self.depth not in _DEPTHS:
            raise ValueError(
                f"depth {self.depth} with the imagenet stem and a block of your own: allowed are 18 and 34"
            )
        return self.of_blocks()

    @property
    def name(self) -> str:
        return self.with_se(f"WRN-{self.depth}-{self.width:g}-{as_text(self.block)}")


class ResNetOfBlocks(OfBlocks, ResNet):
    """A ResNet of a user's blocks: the channels, strides and number of its basic ones, in each of the five orders."""

    block: Block  # type: ignore[assignment]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _ = self.num_units
        if self.shortcut != "identity" and self.shortcut_scale == 0:
            raise ValueError(f"shortcut {self.shortcut!r} gates a shortcut, but shortcut_scale = 0 leaves it out")
        return self.of_blocks()

    @property
    def num_units(self) -> tuple[int, ...]:
        return units(self.depth, self.stem, "basic", self.blocks)

    @property
    def name(self) -> str:
        return f"{super().name}-{as_text(self.block)}"
