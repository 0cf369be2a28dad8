"""Source files as they are digested: found by a module's name, and where a name in one comes from."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from paribus.recipe.code.modules import Module, parsed
from paribus.recipe.code.names import WHOLE, CodeError, External, Found, Import, ModuleRef, Place


@dataclass(eq=False)
class Sources:
    """The files of a package, and of folders with a user's own modules, read when they are asked for."""

    root: Path
    own: tuple[Path, ...] = ()
    _modules: dict[str, Module | None] = field(default_factory=dict)

    def beside(self, folders: Iterable[Path]) -> "Sources":
        """These and the modules of a user's `folders`."""
        own = tuple(dict.fromkeys(folders))
        if not own:
            return self
        ours = {name: module for name, module in self._modules.items() if name.split(".")[0] == self.package}
        return Sources(self.root, own, ours)

    @property
    def package(self) -> str:
        """The name of the package that lies in `root`."""
        return self.root.name

    def file_of(self, module: str) -> Path | None:
        """The file of a module of ours or of the user's; None where it is another library's."""
        top, *rest = module.split(".")
        bases = [self.root] if top == self.package else [folder / top for folder in self.own]
        for base in bases:
            path = base.joinpath(*rest)
            for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
                if file.is_file():
                    return file
        return None

    def load(self, module: str) -> Module | None:
        """The module, parsed; None where it is none of ours. CodeError where one of ours cannot be read."""
        if module not in self._modules:
            file = self.file_of(module)
            if file is not None:
                self._modules[module] = self._parsed(module, file)
            else:  # of a user's folder without __init__.py nothing but its files counts
                self._modules[module] = Module(module, is_package=True) if self._is_folder(module) else None
        return self._modules[module]

    def _parsed(self, module: str, file: Path) -> Module:
        try:
            return parsed(module, file)
        except CodeError as error:
            if module.partition(".")[0] == self.package:
                raise
            return Module(module, is_package=file.name == "__init__.py", fault=str(error))

    def _is_folder(self, module: str) -> bool:
        """Whether a user's folder of Python files without an `__init__.py` is imported as `module`."""
        places = (folder.joinpath(*module.split(".")) for folder in self.own)
        return any(place.is_dir() and any(place.rglob("*.py")) for place in places)

    def resolve(self, module: Module, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Found:
        """Where `name` at the top of `module` was defined, through any number of re-exports; None: nowhere at all."""
        if (module.name, name) in seen:
            return None
        if name in module.bindings:
            return Place(module.name, name)
        seen |= {(module.name, name)}
        if name in module.imports:
            return self.follow(module.imports[name], seen)
        for star in module.stars:
            target = self.load(star)
            if target is not None and (found := self.resolve(target, name, seen)):
                return found
        return None

    def follow(self, target: Import, seen: frozenset[tuple[str, str]] = frozenset()) -> Found:
        """What an import brings: a definition, a module, or a name of another library."""
        module, name = target
        loaded = self.load(module)
        if loaded is None:
            return External(module if name is None else f"{module}.{name}")
        return ModuleRef(module) if name is None else self.member(loaded, name, seen)

    def member(self, module: Module, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Found:
        """`module.name`; all of the module where it has no such name that can be seen without running it."""
        if found := self.resolve(module, name, seen):
            return found
        inner = f"{module.name}.{name}"
        return ModuleRef(inner) if self.file_of(inner) or self._is_folder(inner) else Place(module.name, WHOLE)
