"""Components from outside: where they are found, and which files of the user's they are made of."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from importlib import invalidate_caches
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from paribus.recipe import Recipe
from paribus.recipe.code import Own
from paribus.recipe.component import DATASET, STAGE, own_of
from paribus.recipe.own import SHORT, load

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
    return () if top is None else tuple(_closure(*top))


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
            yield Own(top[0], reference.partition(":")[2].partition(".")[0])


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


def _closure(file: Path, root: Path) -> Iterator[Path]:
    """`file` and what it imports from under `root`, the packages' own `__init__.py` included."""
    top = file.relative_to(root).parts[0]
    waiting, seen = [file], set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        yield path
        waiting += [file for name in _imported(path, root) for file in _files(name, root)]
        waiting += [each for each in _packages(path, root) if each.is_file()]
        if is_installed(root):
            waiting = [each for each in waiting if each.relative_to(root).parts[0] == top]


def _imported(path: Path, root: Path) -> Iterator[str]:
    """Dotted names of the modules that a file may import, absolute."""
    parts = path.relative_to(root).with_suffix("").parts
    package = parts[:-1]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*start, *filter(None, (node.module,))))
            yield module
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)


def _files(name: str, root: Path) -> Iterable[Path]:
    if not name:
        return
    base = root.joinpath(*name.split("."))
    yield from (path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file())


def _packages(path: Path, root: Path) -> Iterator[Path]:
    for folder in path.parents:
        if folder == root or root not in folder.parents:
            return
        yield folder / "__init__.py"


def _forget(folder: Path) -> None:
    """Drop from Python's table what was imported from under `folder`."""
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and (file := getattr(module, "__file__", None)) and name != "__main__":
            path = Path(file)
            if folder in path.parents and not is_installed(path) and name.partition(".")[0] not in _LIBRARIES:
                del sys.modules[name]
