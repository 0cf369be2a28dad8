"""The code of a trial, and whether a node has the same code and libraries as the driver that sends it trials."""

import platform
from collections.abc import Mapping

from paribus.plugins import sources_of
from paribus.recipe import Recipe
from paribus.recipe.code import code_of
from paribus.tracking.environment import version_of

# Another version of these computes other numbers.
_COMPARED = ("paribus", "torch")


class OtherCodeError(Exception):
    """This node would train something else than the driver has planned."""


def trial_code(recipe: Recipe) -> str:
    """The digest of what a trial of `recipe` runs through, as this process finds it on its disk."""
    return code_of(recipe, own=sources_of(recipe))


def versions() -> dict[str, str]:
    """The versions of ourselves and of torch, without importing it; "" where one is not installed."""
    return {name: version_of(name) or "" for name in _COMPARED}


def check_node(recipe: Recipe, code: str, expected: Mapping[str, str]) -> None:
    """Raise OtherCodeError unless this node has the driver's `code` for `recipe`, and the `expected` versions."""
    own = versions()
    differing = [
        f"{name} {own.get(name) or 'none'} here, {want or 'none'} there"
        for name, want in expected.items()
        if own.get(name) != want
    ]
    if (here := trial_code(recipe)) != code:
        differing.insert(0, f"code {here} here, {code} there")
    if differing:
        raise OtherCodeError(
            f"{platform.node()} would train with another program than the one that planned this trial: "
            f"{'; '.join(differing)} (there: where the study was started). Install the same paribus and torch on "
            "every node, start its Ray again, then say retry"
        )
