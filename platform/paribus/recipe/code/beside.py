"""The files of a user's that a component is made of: what travels with it is found as what counts in its code is."""

import ast
from collections.abc import Iterator
from pathlib import Path

from paribus.recipe.code.modules import Module, named
from paribus.recipe.code.sources import Sources

_PACKAGE = Path(__file__).parents[2]


def files_beside(file: Path, folder: Path, within: str = "") -> Iterator[Path]:
    """`file` and all that it may import from under `folder`, also inside functions, with packages' `__init__.py`.

    `within` keeps to one top module: an installed package's own files.
    """
    sources = Sources(_PACKAGE, (folder,))
    waiting, seen = [module_name(file, folder)], set[str]()
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if name in seen or top == sources.package or (within and top != within):
            continue
        seen.add(name)
        waiting += [name.rpartition(".")[0]]
        path = sources.file_of(name) if name else None
        if path is not None:
            yield path
            waiting += _imported(path, Module(name, is_package=path.name == "__init__.py"))


def module_name(file: Path, folder: Path) -> str:
    """The dotted name of `file` where `folder` is on the path."""
    inner = file.resolve().relative_to(folder.resolve()).with_suffix("")
    return ".".join(inner.parts[:-1] if inner.name == "__init__" else inner.parts)


def _imported(path: Path, module: Module) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError):  # whoever imports it is told; what is only mentioned may be anything
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from named(node, module)
