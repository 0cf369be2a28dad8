"""Components from outside, named in a recipe as MODULE:NAME. Imports nothing of ours but the error."""

import importlib
import re
from typing import Any

from paribus.recipe.errors import RecipeError, nearest

_REFERENCE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def load(reference: str) -> Any:
    """What `reference` names: `my_parts:Snake` is `Snake` in my_parts.py beside the study, or in an installed package.

    Raises:
        RecipeError: no such form, no such module, a module that fails when it is imported, or nothing of that name.
    """
    if not _REFERENCE.fullmatch(reference):
        raise RecipeError(f"{reference!r} names no component: write MODULE:NAME, such as my_parts:Snake")
    module_name, _, name = reference.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the module's own code may raise anything
        missing = isinstance(error, ModuleNotFoundError) and error.name == module_name.partition(".")[0]
        what = "is found nowhere" if missing else f"fails when it is imported ({type(error).__name__}: {error})"
        raise RecipeError(
            f"{reference!r}: the module {module_name} {what}: put {module_name.replace('.', '/')}.py beside the "
            "study, or install the package that has it"
        ) from None
    if not hasattr(module, name):
        raise RecipeError(f"{reference!r}: {module_name} has no {name!r}: {nearest(name, dir(module))}")
    return getattr(module, name)
