"""A trackio project: a SQLite file with a row for each logged step."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from paribus.results.runs import ResultsError, Runs, as_text, flat, listed
from paribus.results.sources.run_names import said_by


def read_project(path: Path, project: str) -> Runs:
    """Each run's last value of every metric, and its config where this release of trackio keeps it.

    Raises:
        ResultsError: a table that is none of trackio's, or several projects of which none is named.
    """
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        try:
            logged = _logged(database, path, project)
            configs = _configs(database)
        except (sqlite3.Error, ValueError) as error:
            raise ResultsError(f"{path} is no database of trackio's: {error}") from None
    values: dict[str, dict[str, str]] = {}
    for run, metrics in logged:
        values.setdefault(run, {}).update(flat(metrics))
    rows = [{"run": run, **said_by(run), **configs.get(run, {}), **found} for run, found in values.items()]
    return Runs(
        source=path.name,
        rows=tuple(rows),
        metrics=tuple(dict.fromkeys(name for found in values.values() for name in found)),
        notes=("of each metric its last logged value counts",),
    )


def _logged(database: sqlite3.Connection, path: Path, project: str) -> list[tuple[str, dict[str, Any]]]:
    columns = {row[1] for row in database.execute("PRAGMA table_info(metrics)")}
    where, values = "", list[str]()
    if "project_name" in columns:  # until its release 0.2, one file for all
        projects = [name for (name,) in database.execute("SELECT DISTINCT project_name FROM metrics")]
        chosen = project or (projects[0] if len(projects) == 1 else "")
        if chosen not in projects:
            raise ResultsError(f"{path} has the projects {listed(projects)}: name one as {path}#PROJECT")
        where, values = "WHERE project_name = ?", [chosen]
    rows = database.execute(f"SELECT run_name, metrics FROM metrics {where} ORDER BY run_name, step, id", values)
    return [(run, json.loads(text)) for run, text in rows]


def _configs(database: sqlite3.Connection) -> dict[str, dict[str, str]]:
    if not list(database.execute("SELECT 1 FROM sqlite_master WHERE name = 'configs'")):
        return {}
    rows = database.execute("SELECT run_name, config FROM configs")
    return {run: {k: as_text(v) for k, v in flat(json.loads(text)).items()} for run, text in rows}
