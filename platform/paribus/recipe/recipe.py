"""The recipe: everything that defines one training run apart from chance."""

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError, ValidationInfo, field_validator, model_validator

from paribus.recipe.budget import Budget, Evaluation, Numerics, Resources, Training
from paribus.recipe.components.loss import Loss
from paribus.recipe.components.own import is_reference
from paribus.recipe.data import Augment, Data
from paribus.recipe.errors import RecipeError, readable
from paribus.recipe.families.wide_resnet import WideResNet
from paribus.recipe.model import MODEL, Model, by_name
from paribus.recipe.optimizer import SGD, Optimizer
from paribus.recipe.part import Part, added
from paribus.recipe.paths import assign, holds_another
from paribus.recipe.schedule import Cosine, Schedule

# Said to a validation: what the parts ask of each other is left for later.
_DRAFT = "draft"


class Recipe(Part):
    """One training run apart from chance; a variant is `recipe.replace({"model.depth": 28})`."""

    model: Model = WideResNet()
    data: Data = Data()
    augment: Augment = Augment()
    loss: Loss = added("cross_entropy", description="what is minimised")
    optimizer: Optimizer = SGD()
    schedule: Schedule = Cosine()
    budget: Budget = Budget()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    numerics: Numerics = Numerics()
    resources: Resources = Resources()
    metrics: tuple[str, ...] = added((), description="of one's own, MODULE:NAME, that trials report at their end too")

    @field_validator("metrics", mode="before")
    @classmethod
    def _metrics_in_order(cls, value: Any) -> Any:
        """`a:b,c:d` or a list of them; their order bears on nothing. They are found where they are needed."""
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, (list, tuple)) or not all(isinstance(each, str) for each in names):
            raise ValueError("should name metrics of your own, such as my_parts:macro_f1")
        named = sorted({each.strip() for each in names} - {""})
        if wrong := [each for each in named if not is_reference(each)]:
            raise ValueError(
                f"has {wrong[0]!r}: name functions of your own as module:Name, such as my_parts:macro_f1; every trial "
                "reports the metrics of paribus"
            )
        return tuple(named)

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        if (info.context or {}).get(_DRAFT):
            return self
        size, cutout = self.data.size, self.augment.cutout
        if size is not None and cutout > size:
            raise ValueError(f"augment.cutout = {cutout} is wider than the input, data.size = {size}")
        if self.augment.mix != "none" and self.resources.num_ranks > 1:
            raise ValueError(
                f"augment.mix mixes the images of a whole batch, and resources has {self.resources.num_ranks} ranks, "
                "each with a share of it: train with one GPU, or leave mix at none"
            )
        if self.numerics.precision == "tf32" and self.resources.gpus == 0:
            raise ValueError(
                "numerics.precision = 'tf32' is a way in which GPUs multiply, and resources.gpus is 0: set "
                "resources.gpus, or take float32"
            )
        if size is not None:
            self.model.check_size(size)
        return self

    def replace(self, changes: Mapping[str, Any]) -> "Recipe":
        """A validated copy with the dotted paths in `changes` set.

        Raises:
            RecipeError: a path that does not exist (naming the nearest that does), or a value that is not allowed.
        """
        return self._with(changes)

    def _with(self, changes: Mapping[str, Any], draft: bool = False) -> "Recipe":
        # A new kind of optimizer has other fields, so it comes before what is set in it. What results is checked as a
        # whole at the end alone: a net for 299 pixels and data.size = 299 fit each other in either order.
        first = {path: value for path, value in changes.items() if holds_another(path, changes)}
        if 0 < len(first) < len(changes):
            rest = {path: value for path, value in changes.items() if path not in first}
            return self._with(first, draft=True)._with(rest, draft)
        tree = self.model_dump()
        for path, value in changes.items():
            # `--set model=ResNet-50`, and a factor "model", name a published net.
            is_name = path == MODEL and isinstance(value, str)
            assign(tree, path, by_name(value).model if is_name else value)
        # Through JSON, because a frozen strict part takes no plain dict, and a document is what recipes are stored as.
        return Recipe._read(json.dumps(tree, default=_refuse), draft)

    @classmethod
    def read(cls, text: str | bytes) -> "Recipe":
        """The recipe in a JSON document, as `recipe.json` artifacts hold it; raises RecipeError if it is none."""
        return cls._read(text)

    @classmethod
    def _read(cls, text: str | bytes, draft: bool = False) -> "Recipe":
        try:
            return cls.model_validate_json(text, context={_DRAFT: draft})
        except ValidationError as error:
            raise RecipeError(readable(error)) from None


def _refuse(value: object) -> None:
    raise RecipeError(
        f"{value!r} of type {type(value).__name__} cannot be in a recipe: give a number, text, yes or no, or a tuple"
    )
