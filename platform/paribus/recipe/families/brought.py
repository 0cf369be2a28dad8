"""A net from outside as a family: `timm:resnet50d`, `torchvision:densenet121`, or a user's `my_parts:TinyNet`."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, ValidationError, model_validator

from paribus.recipe.components.component import WithArguments, as_text, checked, frozen, written
from paribus.recipe.components.own import canonical, is_own, load
from paribus.recipe.components.recorded import taken
from paribus.recipe.errors import RecipeError, readable
from paribus.recipe.families.family import Family, Published

# What Paribus passes itself, under the names that nets have for it; and what would bring weights that no seed draws.
GIVEN = frozenset({"in_channels", "in_chans", "num_classes"})
_WEIGHTS = frozenset({"pretrained", "weights", "progress", "pretrained_cfg", "pretrained_cfg_overlay", "cache_dir"})


class Brought(Family, WithArguments):
    """`family` names a class or function that makes a torch.nn.Module of images (N, C, H, W) to logits (N, K).

    It is told `in_channels` and `num_classes` where it has such arguments; its others are fields here. It starts as it
    initialises itself, its draws keyed by the init seed alone: arms of one architecture share their initial values,
    others share none. Its dropout and its dropped paths are drawn as ours are. Neither `width` nor `activation` reach
    into it.
    """

    own_place: ClassVar[str] = "model"

    family: str
    width: float = Field(1.0, ge=1, le=1)

    @property
    def name(self) -> str:
        return as_text({"kind": self.family, **self.arguments})

    @classmethod
    def published(cls) -> dict[str, Published]:
        return {}

    @model_validator(mode="before")
    @classmethod
    def _of_its_class(cls, value: Any) -> Any:
        if not isinstance(value, Mapping) or not is_own(value.get("family")):
            return value
        family = canonical(value["family"], "model")
        if value.get("activation", "relu") != "relu":
            raise ValueError(f"activation does not reach into {family!r}: give it by an argument of its own")
        own = {name: each for name, each in value.items() if name not in ("family", "width", "activation")}
        if barred := sorted(_WEIGHTS & own.keys()):
            raise ValueError(f"{barred[0]} would bring weights from elsewhere: a net starts from the seeds")
        return {"family": family, "width": value.get("width", 1.0), **_chosen(family, own)}


def _chosen(family: str, own: Mapping[str, Any]) -> dict[str, Any]:
    if family.startswith("timm:"):
        check_timm(family)
        return frozen(own)
    return checked(taken(family, "model", GIVEN | _WEIGHTS), own, f"model {family!r}")


def check_timm(family: str) -> None:
    """RecipeError where timm is not installed, or has no net of that name."""
    name = family.partition(":")[2]
    models = load("timm.models:is_model", "model"), load("timm.models:list_models", "model")
    if not models[0](name):
        from difflib import get_close_matches

        close = get_close_matches(name, models[1](), n=3, cutoff=0.5)
        hint = f": the nearest are {', '.join(close)}" if close else ""
        raise RecipeError(f"timm has no net {name!r}{hint}")


def brought(text: str) -> Brought:
    """The family that `timm:resnet50d` or `my_parts:TinyNet(depth=3)` writes."""
    fields = written(text, "model")
    try:
        return Brought.model_validate({"family": fields.pop("kind"), **fields})
    except ValidationError as error:
        raise RecipeError(readable(error, "model")) from None
