"""The recipe: everything that defines one training run apart from chance."""

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError, model_validator

from paribus.recipe.budget import Budget, Evaluation, Numerics, Resources, Training
from paribus.recipe.data import Augment, Data
from paribus.recipe.errors import RecipeError, readable
from paribus.recipe.families.wide_resnet import WideResNet
from paribus.recipe.model import MODEL, Model, by_name
from paribus.recipe.optimizer import SGD, Optimizer
from paribus.recipe.part import Part
from paribus.recipe.paths import assign, is_discriminator
from paribus.recipe.schedule import Cosine, Schedule


class Recipe(Part):
    """One training run apart from chance; a variant is `recipe.replace({"model.depth": 28})`."""

    model: Model = WideResNet()
    data: Data = Data()
    augment: Augment = Augment()
    optimizer: Optimizer = SGD()
    schedule: Schedule = Cosine()
    budget: Budget = Budget()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    numerics: Numerics = Numerics()
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        size, cutout = self.data.size, self.augment.cutout
        if size is not None and cutout > size:
            raise ValueError(f"augment.cutout = {cutout} is wider than the input, data.size = {size}")
        if size is not None:
            self.model.check_size(size)
        return self

    def replace(self, changes: Mapping[str, Any]) -> "Recipe":
        """A validated copy with the dotted paths in `changes` set.

        Raises:
            RecipeError: a path that does not exist (naming the nearest that does), or a value that is not allowed.
        """
        # A new kind of optimizer has other fields, so whole parts come first, then kinds, then all other fields.
        first = {path: value for path, value in changes.items() if path in type(self).model_fields}
        first = first or {path: value for path, value in changes.items() if is_discriminator(path)}
        if first and len(first) < len(changes):
            rest = {path: value for path, value in changes.items() if path not in first}
            return self.replace(first).replace(rest)
        tree = self.model_dump()
        for path, value in changes.items():
            # `--set model=ResNet-50`, and a factor "model", name a published net.
            is_name = path == MODEL and isinstance(value, str)
            assign(tree, path, by_name(value).model if is_name else value)
        # Through JSON, because a frozen strict part takes no plain dict, and a document is what recipes are stored as.
        return Recipe.read(json.dumps(tree, default=_refuse))

    @classmethod
    def read(cls, text: str | bytes) -> "Recipe":
        """The recipe in a JSON document, as `recipe.json` artifacts hold it; raises RecipeError if it is none."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise RecipeError(readable(error)) from None


def _refuse(value: object) -> None:
    raise RecipeError(
        f"{value!r} of type {type(value).__name__} cannot be in a recipe: give a number, text, yes or no, or a tuple"
    )
