"""The network of a recipe: one frozen part per family, told apart by `family`."""

from difflib import get_close_matches
from typing import Annotated, get_args

from pydantic import Field

from paribus.recipe.errors import RecipeError
from paribus.recipe.families.family import Family, Published
from paribus.recipe.families.inception_resnet import InceptionResNet
from paribus.recipe.families.inception_v1 import InceptionV1
from paribus.recipe.families.inception_v2 import InceptionV2
from paribus.recipe.families.inception_v3 import InceptionV3
from paribus.recipe.families.inception_v4 import InceptionV4
from paribus.recipe.families.nin import NIN
from paribus.recipe.families.resnet import ResNet
from paribus.recipe.families.resnext import ResNeXt
from paribus.recipe.families.senet import SENet
from paribus.recipe.families.wide_resnet import WideResNet
from paribus.recipe.families.xception import Xception

# The one table of families: a line here, and its net in models/build.py.
AnyFamily = (
    WideResNet
    | ResNet
    | ResNeXt
    | SENet
    | NIN
    | InceptionV1
    | InceptionV2
    | Xception
    | InceptionV4
    | InceptionResNet
    | InceptionV3
)
MODEL = "model"  # the path that takes a published net's name
FAMILIES: tuple[type[Family], ...] = get_args(AnyFamily)
_TAGS = frozenset(family.model_fields["family"].default for family in FAMILIES)


def published() -> dict[str, Published]:
    """The nets that papers name, of all families, by name."""
    return {name: entry for family in FAMILIES for name, entry in family.published().items()}


def by_name(name: str) -> Published:
    """The published net called `name`; RecipeError names the nearest ones if there is none."""
    table = published()
    if name in _TAGS:
        raise RecipeError(f"{name!r} is a family, no network: set model.family={name}, or name one of its nets")
    if name not in table:
        close = get_close_matches(name, table, n=5, cutoff=0.6) or get_close_matches(name, table, n=5, cutoff=0)
        raise RecipeError(f"no network {name!r}: the nearest are {', '.join(close)}; `paribus models list` prints all")
    return table[name]


def name_of(model: Family) -> str:
    """The name under which `model` is published, or what papers would call it."""
    return next((name for name, entry in published().items() if entry.model == model), model.name)


Model = Annotated[AnyFamily, Field(discriminator="family")]
