"""The user's own files on the way to the workers, by Ray's `py_modules`, and whether a node has what it needs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from paribus.plugins import files_of, is_installed, place_of, stand_beside
from paribus.recipe import Recipe, RecipeError
from paribus.recipe.components.component import own_of

# Where they lie on a node, in the folder that Ray unpacks: below a name that nobody imports anything else by.
_FOLDER = "paribus_own_files"


@contextmanager
def packed(recipes: Iterable[Recipe]) -> Iterator[tuple[str, ...]]:
    """Within the block what to give to Ray's `py_modules`: one folder with copies of the user's files alone, or none.

    A folder of the user's may hold data and notes, and a package's other files may be of a later study's. It is one
    folder, since Ray unpacks each module of several apart, and a node would then not find what a component imports
    beside it; `stand_where_they_lie` puts it on the path there.
    """
    distinct = list(dict.fromkeys(recipes))
    roots = {
        top[1]
        for recipe in distinct
        for place, reference in own_of(recipe)
        if (top := place_of(place, reference)) is not None and not is_installed(top[0])
    }
    files = {file for recipe in distinct for file in files_of(recipe) if not is_installed(file)}
    with tempfile.TemporaryDirectory(prefix="paribus-own-") as told:
        for file in files:
            root = max((root for root in roots if root in file.parents), key=lambda root: len(root.parts))
            there = Path(told) / _FOLDER / file.relative_to(root)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, there)
        yield tuple(str(path) for path in Path(told).iterdir())


def stand_where_they_lie() -> None:
    """What Ray calls in each worker as it starts: the files that travelled lie beside one another, as at the driver."""
    found = find_spec(_FOLDER)
    stand_beside(*map(Path, (found and found.submodule_search_locations) or ()))


def references(recipes: Iterable[Recipe]) -> tuple[tuple[str, str], ...]:
    """`(place, reference)` of everything from outside in `recipes`, each once."""
    return tuple(dict.fromkeys(each for recipe in recipes for each in own_of(recipe)))


def check_nodes(wanted: Sequence[tuple[str, str]]) -> None:
    """Ask every node of the cluster for the components `wanted`, before a trial is sent there.

    Raises:
        RecipeError: a node on which one cannot be imported; it names the node.
    """
    if not wanted:
        return
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    alive = [node for node in listed if node["Alive"]]
    asked = [
        ray.remote(_missing)
        .options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
        .remote(wanted)
        for node in alive
    ]
    for node, fault in zip(alive, ray.get(asked), strict=True):
        if fault:
            raise RecipeError(
                f"not found on the node {node['NodeManagerHostname']}: {fault}. Files beside the study travel with it; "
                "packages have to be installed on every node"
            )


def _missing(wanted: Sequence[tuple[str, str]]) -> str:
    from paribus.recipe.components.own import load

    for place, reference in wanted:
        try:
            load(reference, place)
        except RecipeError as error:
            return str(error)
    return ""
