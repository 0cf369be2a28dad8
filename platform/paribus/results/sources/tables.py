"""Files that are tables: one row a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from paribus.results.runs import ResultsError, Runs, as_text, flat

_BETWEEN = (",", ";", "\t")


def read_csv(path: Path) -> Runs:
    """A table with a header, its cells as they are written; commas, semicolons or tabs between them.

    Raises:
        ResultsError: no header, no rows, or rows longer than the header.
    """
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig") as file:
            head = file.readline()
        between = max(_BETWEEN, key=head.count)
        found = pd.read_csv(path, dtype=str, keep_default_na=False, sep=between, encoding="utf-8-sig")
    except (ValueError, OSError) as error:  # pandas' ParserError is one, and what is no UTF-8
        raise ResultsError(f"{path} is no table with a header: {str(error).strip()}") from None
    if double := [name for name in found.columns if name.endswith(".1") and name[:-2] in found.columns]:
        raise ResultsError(f"{path} has two columns called {double[0][:-2]!r}: rename one")
    return Runs(
        source=path.name, rows=tuple({str(k): str(v) for k, v in row.items()} for row in found.to_dict("records"))
    )


def read_parquet(path: Path) -> Runs:
    """A Parquet file. Raises ResultsError for what is none."""
    import pandas as pd

    try:
        found = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise ResultsError(f"{path} is no Parquet file: {error}") from None
    return of_records(path.name, found.to_dict("records"))


def read_json(path: Path) -> Runs:
    """A list of objects, one a run. Raises ResultsError for anything else."""
    found = json_of(path)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ResultsError(f"{path} is no list of objects, one a run")
    return of_records(path.name, found)


def read_json_lines(path: Path) -> Runs:
    """An object a line, one a run. Raises ResultsError for anything else."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError as error:
            raise ResultsError(f"line {number} of {path} is no JSON: {error}") from None
        if row is not None and not isinstance(row, dict):
            raise ResultsError(f"line {number} of {path} is no object")
        rows += [row] if row else []
    return of_records(path.name, rows)


def of_records(source: str, records: Iterable[Mapping[Any, Any]]) -> Runs:
    """Runs from mappings that may be nested."""
    return Runs(source=source, rows=tuple(flat({as_text(k): v for k, v in record.items()}) for record in records))


def json_of(path: Path) -> Any:
    """What a JSON file holds. Raises ResultsError for what is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ResultsError(f"{path} is no JSON: {error}") from None


READERS: Mapping[str, Callable[[Path], Runs]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".txt": read_csv,
    ".parquet": read_parquet,
    ".pq": read_parquet,
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
}
