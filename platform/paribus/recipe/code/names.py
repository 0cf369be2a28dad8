"""What the sources are spoken of in: definitions, where they lie, and what a name may stand for."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

# The definition that stands for a module's statements that bind no name, and the one that stands for all of it.
EFFECTS, WHOLE = "", "*"


class CodeError(Exception):
    """A source file that cannot be read or parsed; the text says which and what to do."""


@dataclass(frozen=True)
class Own:
    """A component of a user's: the file that it lives in and its name there; "" is all that the file defines.

    `folder` is the one on the path when the file is imported; None: the first above it that is no package.
    """

    file: Path
    name: str = ""
    folder: Path | None = None

    @property
    def import_folder(self) -> Path:
        """`folder`, or what stands for it."""
        if self.folder is not None:
            return self.folder.resolve()
        folder = self.file.resolve().parent
        while (folder / "__init__.py").is_file():
            folder = folder.parent
        return folder


class Place(NamedTuple):
    """A definition: the module and the name that it has there."""

    module: str
    name: str


class ModuleRef(NamedTuple):
    """A name that stands for a module of ours."""

    module: str


class External(NamedTuple):
    """A name that comes from another library, by its full path: `torch.nn.functional`."""

    path: str


class Definition(NamedTuple):
    """A definition as it counts: a hash of its text with gaps, and the definitions that belong in the gaps."""

    text: str
    refers_to: tuple[Place, ...]


Found = Place | ModuleRef | External | None
# What an import binds a name to: (module, the name there; None for the module itself).
Import = tuple[str, str | None]
