"""Components from outside: where they are found, and which files of the user's they are made of."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from importlib import invalidate_caches
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from paribus.recipe import Recipe
from paribus.recipe.code import Own, files_beside
from paribus.recipe.components.component import DATASET, STAGE, own_of
from paribus.recipe.components.own import SHORT, load

__all__ = ["feed_sources_of", "files_of", "has_own", "load", "place_of", "sources_of", "stand_beside"]

# What is installed beside Paribus: a result records their versions, and no study brings them along.
_LIBRARIES = frozenset({"paribus", "timm", "torch", "torchvision"})
_INSTALLED = frozenset({"dist-packages", "site-packages"})
_IN_THE_FEED = frozenset({STAGE, DATASET, "augmentation"})
# The folder of the study that was read last: Python's path itself is one for a process, and so is this.
_beside: list[str] = []


def stand_beside(*folders: Path) -> None:
    """Let components be found in `folders`, those of a study, and no more in those of the study before."""
    for folder in _beside:
        if folder in sys.path:
            sys.path.remove(folder)
        _forget(Path(folder))
    _beside[:] = [str(folder) for folder in dict.fromkeys(folders) if str(folder) not in sys.path]
    sys.path[:0] = _beside
    invalidate_caches()


def has_own(part: BaseModel) -> bool:
    """Whether anything in a recipe, or in a part of one, comes from outside."""
    return any(True for _ in own_of(part))


def files_of(recipe: Recipe) -> tuple[Path, ...]:
    """The user's files that `recipe` runs through, sorted: those of its components and what they import beside them.

    Of an installed package they are its own files alone; of torch, torchvision and timm there are none.
    """
    found: dict[Path, None] = {}
    for place, reference in own_of(recipe):
        for file in files_behind(place, reference):
            found.setdefault(file)
    return tuple(sorted(found))


def files_behind(place: str, reference: str) -> tuple[Path, ...]:
    """Those of one component, its own first; none of torch, torchvision and timm."""
    top = place_of(place, reference)
    if top is None:
        return ()
    within = top[0].relative_to(top[1]).with_suffix("").parts[0] if is_installed(top[1]) else ""
    return tuple(files_beside(*top, within))


def sources_of(recipe: Recipe) -> tuple[Own, ...]:
    """What of the user's own files enters the `code` of a trial of `recipe`.

    An installed package is none of it: a result records what is installed by its version.
    """
    return tuple(_sources(own_of(recipe)))


def feed_sources_of(recipe: Recipe) -> tuple[Own, ...]:
    """Those of them that the batches of `recipe` come from."""
    return tuple(_sources((place, name) for place, name in own_of(recipe) if place in _IN_THE_FEED))


def _sources(components: Iterable[tuple[str, str]]) -> Iterator[Own]:
    for place, reference in components:
        top = place_of(place, reference)
        if top is not None and not is_installed(top[0]):
            yield Own(top[0], reference.partition(":")[2].partition(".")[0], top[1])


def place_of(place: str, reference: str) -> tuple[Path, Path] | None:
    """The file of a component and the folder from which it is imported; None where it is a library's."""
    name = reference.partition(":")[0]
    name = SHORT.get(place, {}).get(name, name)
    if name.partition(".")[0] in _LIBRARIES | sys.stdlib_module_names:
        return None
    load(reference, place)
    module = sys.modules[name]
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    path = Path(file).resolve()
    depth = name.count(".") + (path.name == "__init__.py")
    return path, path.parents[depth]


def is_installed(path: Path) -> bool:
    """Whether a file is part of an installed package, which travels with an environment and not with a study."""
    return not _INSTALLED.isdisjoint(path.parts)


def _forget(folder: Path) -> None:
    """Drop from Python's table what was imported from under `folder`."""
    within = f"{folder}{os.sep}"
    # A folder in a folder without __init__.py asks its parent where it is: none goes before all were asked.
    for name in [name for name, module in sys.modules.items() if _is_of(within, name, module)]:
        del sys.modules[name]


def _is_of(within: str, name: str, module: object) -> bool:
    if not isinstance(module, ModuleType) or name == "__main__" or name.partition(".")[0] in _LIBRARIES:
        return False
    file = getattr(module, "__file__", None)
    # As text: thousands of modules are asked, by paths a hundred times slower.
    places = [file] if file else getattr(module, "__path__", ())
    return any(place.startswith(within) and not is_installed(Path(place)) for place in places)
