"""The network of a recipe: one frozen part per family, told apart by `family`."""

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field

from paribus.recipe.errors import RecipeError, nearest
from paribus.recipe.families.family import Family, Published
from paribus.recipe.families.resnet import ResNet
from paribus.recipe.families.wide_resnet import WideResNet

# The one table of families: a line here, and its net in models/build.py.
AnyFamily = WideResNet | ResNet
FAMILIES: tuple[type[Family], ...] = get_args(AnyFamily)


def published() -> dict[str, Published]:
    """The nets that papers name, of all families, by name."""
    return {name: entry for family in FAMILIES for name, entry in family.published().items()}


def by_name(name: str) -> Published:
    """The published net called `name`; RecipeError names the nearest ones if there is none."""
    table = published()
    if name not in table:
        raise RecipeError(f"no network {name!r}: {nearest(name, table)}")
    return table[name]


def _from_name(value: Any) -> Any:
    """`--set model=ResNet-50` and a factor `"model"` take a published net by its name."""
    if isinstance(value, str):
        return by_name(value).model
    return value


Model = Annotated[AnyFamily, Field(discriminator="family"), BeforeValidator(_from_name)]
