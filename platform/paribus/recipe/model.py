"""The network of a recipe: one frozen part per family, told apart by `family`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any, get_args

from pydantic import Discriminator, Tag

from paribus.recipe.components.component import OWN
from paribus.recipe.components.own import is_own
from paribus.recipe.errors import RecipeError
from paribus.recipe.families.brought import Brought, brought
from paribus.recipe.families.family import Family, Published
from paribus.recipe.families.inception_resnet import InceptionResNet
from paribus.recipe.families.inception_v1 import InceptionV1
from paribus.recipe.families.inception_v2 import InceptionV2
from paribus.recipe.families.inception_v3 import InceptionV3
from paribus.recipe.families.inception_v4 import InceptionV4
from paribus.recipe.families.nin import NIN
from paribus.recipe.families.own_block import ResNetOfBlocks, WideResNetOfBlocks
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
# Families whose `block` may be a user's, which makes another part of the same family's name.
_OF_BLOCKS = {"wide_resnet": "wide_resnet of blocks", "resnet": "resnet of blocks"}
_TAGS = frozenset(family.model_fields["family"].default for family in FAMILIES)


def published() -> dict[str, Published]:
    """The nets that papers name, of all families, by name."""
    return {name: entry for family in FAMILIES for name, entry in family.published().items()}


def by_name(name: str) -> Published:
    """The published net called `name`; RecipeError names the nearest ones if there is none."""
    if is_own(name):
        return Published(brought(name), 3, 224, 1000, "from outside")
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


def _field(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, Mapping) else getattr(part, name, None)


def _tag_of(value: Any) -> str | None:
    family, block = (_field(value, name) for name in ("family", "block"))
    if family in _OF_BLOCKS and is_own(_field(block, "kind") or block):
        return _OF_BLOCKS[family]
    return OWN if is_own(family) else family if isinstance(family, str) or family is None else repr(family)


Model = Annotated[
    Annotated[WideResNet, Tag("wide_resnet")]
    | Annotated[ResNet, Tag("resnet")]
    | Annotated[ResNeXt, Tag("resnext")]
    | Annotated[SENet, Tag("senet")]
    | Annotated[NIN, Tag("nin")]
    | Annotated[InceptionV1, Tag("inception_v1")]
    | Annotated[InceptionV2, Tag("inception_v2")]
    | Annotated[Xception, Tag("xception")]
    | Annotated[InceptionV4, Tag("inception_v4")]
    | Annotated[InceptionResNet, Tag("inception_resnet")]
    | Annotated[InceptionV3, Tag("inception_v3")]
    | Annotated[WideResNetOfBlocks, Tag("wide_resnet of blocks")]
    | Annotated[ResNetOfBlocks, Tag("resnet of blocks")]
    | Annotated[Brought, Tag(OWN)],
    Discriminator(_tag_of),
]
