"""A folder of JSON files: one a run, or the files of a run in a folder of its own."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from paribus.results.runs import ResultsError, Runs
from paribus.results.sources.run_names import said_by
from paribus.results.sources.tables import json_of, of_records


def found_in(folder: Path) -> bool:
    """Whether there are any."""
    return next(folder.rglob("*.json"), None) is not None


def read_folder(folder: Path) -> Runs:
    """Each file's object is a run; where every run has a folder with the same names of files, they are one run.

    What the path says (`width=2/seed3`) is told where no file does.

    Raises:
        ResultsError: a file that is no JSON, or no object.
    """
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*.json")):
        by_folder[path.parent].append(path)
    names = {tuple(path.name for path in paths) for paths in by_folder.values()}
    one_each = len(by_folder) > 1 and len(names) == 1
    groups = [*by_folder.values()] if one_each else [[path] for paths in by_folder.values() for path in paths]
    rows = []
    for paths in groups:
        where = (paths[0].parent if one_each else paths[0].with_suffix("")).relative_to(folder)
        row: dict[str, Any] = {"run": str(where), **said_by(str(where))}
        for path in paths:
            found = json_of(path)
            if not isinstance(found, dict):
                raise ResultsError(f"{path} holds no object: a file of a folder is one run, or a part of one")
            row |= found
        rows.append(row)
    return of_records(folder.name, rows)
