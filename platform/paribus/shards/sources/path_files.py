"""Loads files by their paths."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paribus.shards.sources.file_type import suffix_of
from paribus.shards.sources.names import Names
from paribus.shards.sources.source import File


@dataclass(frozen=True)
class PathFiles:
    """Loads the file of a row, as it is; `paths` are relative to `folder`, or absolute."""

    folder: Path
    paths: Names

    def __call__(self, row: int) -> File:
        data = (self.folder / self.paths[row]).read_bytes()
        return File(suffix=suffix_of(data, self.paths[row]), data=data)

    def sizes(self) -> NDArray[np.int64]:
        """(N,) the files' sizes in bytes; OSError where one is missing."""
        return np.fromiter(((self.folder / path).stat().st_size for path in self.paths), np.int64, len(self.paths))
