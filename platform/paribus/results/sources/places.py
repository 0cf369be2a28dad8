"""A place in words, a file, a folder or a server's experiment, to the runs that lie there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from paribus.results.runs import ResultsError, Runs
from paribus.results.sources import tables

MLFLOW = "mlflow:"
_KINDS = (
    "a CSV, TSV, Parquet, JSON or JSON-lines file (one row a run; W&B's export is one), a folder of JSON files or of "
    "TensorBoard's event files, an Optuna or trackio database (.db, with #STUDY or #PROJECT where it has several), or "
    "mlflow:EXPERIMENT"
)


def read_runs(place: str, uri: str | None = None) -> Runs:
    """The runs at `place`; `uri` is the MLflow server's address where the place is an experiment.

    Raises:
        ResultsError: nothing is there, or nothing that is known.
        LedgerError: the server does not answer, or has no such experiment.
    """
    if place.startswith(MLFLOW):
        from paribus.results.sources.mlflow_experiment import read_experiment

        assert uri is not None
        return read_experiment(uri, place.removeprefix(MLFLOW))
    name, _, within = place.partition("#")
    path = Path(place) if Path(place).exists() else Path(name)
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise ResultsError(f"{place} is not there: give {_KINDS}")
    if reader := tables.READERS.get(path.suffix.lower()):
        return reader(path)
    if _is_sqlite(path):
        return _of_database(path, within)
    raise ResultsError(f"{path} is none of what can be read: give {_KINDS}")


def _of_folder(path: Path) -> Runs:
    from paribus.results.sources import event_files, json_files

    if event_files.found_in(path):
        return event_files.read_folder(path)
    if json_files.found_in(path):
        return json_files.read_folder(path)
    raise ResultsError(f"{path} has neither JSON files nor TensorBoard's event files in it: give {_KINDS}")


def _of_database(path: Path, within: str) -> Runs:
    tables_there = _tables(path)
    if {"studies", "trials"} <= tables_there:
        from paribus.results.sources.optuna_study import read_study

        return read_study(path, within)
    if "metrics" in tables_there:
        from paribus.results.sources.trackio_project import read_project

        return read_project(path, within)
    raise ResultsError(f"{path} is a database of neither Optuna nor trackio: its tables are {sorted(tables_there)}")


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _tables(path: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
