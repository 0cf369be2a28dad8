"""Whether any node has what a trial asks for. It imports no Ray, for `plan` asks it too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from paribus.recipe import Recipe


class ClusterError(RuntimeError):
    """The cluster cannot be reached, or has not what the trials ask for."""


def first_line(error: BaseException) -> str:
    """What an error says first, as a sentence of ours may hold it."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]


def request_of(recipe: Recipe) -> dict[str, float]:
    """What one trial asks of one node, by Ray's names."""
    asked = recipe.resources
    return {"CPU": asked.cpus} | ({"GPU": asked.gpus} if asked.gpus else {})


def fits(there: Mapping[str, float], request: Mapping[str, float]) -> int:
    """How many such requests a node with these resources has room for, with nothing else on it."""
    # 7 / 0.28 is a hair below 25.
    return int(round(min(there.get(name, 0) / amount for name, amount in request.items() if amount), 6))


def check_room(recipes: Iterable[Recipe], nodes: Sequence[Mapping[str, float]]) -> None:
    """Raise ClusterError where a trial asks for more than any of the nodes has, each by Ray's names."""
    for request in {tuple(request_of(recipe).items()) for recipe in recipes}:
        if any(fits(node, dict(request)) for node in nodes):
            continue
        largest = {name: max((node.get(name, 0) for node in nodes), default=0) for name, _ in request}
        asked = ", ".join(f"{amount:g} {name}" for name, amount in request)
        there = ", ".join(f"{amount:g} {name}" for name, amount in largest.items())
        raise ClusterError(
            f"a trial asks for {asked}, and the largest node has {there}: set resources.cpus and resources.gpus "
            "(--set resources.gpus=0 trains on CPUs), or add a node"
        )
