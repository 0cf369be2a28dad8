"""A ledger from SQLite to PostgreSQL: every row of every table of MLflow, with the same ids; artifacts stay."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.host.child_environment import child_environment
from paribus.tracking.database import place, postgres
from paribus.tracking.errors import LedgerError

if TYPE_CHECKING:
    import sqlalchemy as sql

_ROWS = 5000
_VERSION = "alembic_version"  # of MLflow's tables
Say = Callable[[str], None]


def move(folder: Path, address: str, say: Say) -> int:
    """Copy the ledger of `folder` from SQLite into the empty database at `address`, and use that from then on.

    Returns the number of rows. All of them arrive in one transaction, and only then is the folder told of its new
    database: cut off at any moment, the ledger is whole where it was. The SQLite file stays as it was.

    Raises:
        LedgerError: a server is up, the ledger is in PostgreSQL already, there is none, the target has runs, or the
            tables of MLflow have another version there.
    """
    from paribus.tracking.mlflow.server import running_server

    address = place.checked(address)
    if address == place.SQLITE:
        raise LedgerError("`paribus ledger move` goes from SQLite to PostgreSQL: give postgresql://USER@HOST/DATABASE")
    if place.database_of(folder) != place.SQLITE:
        raise LedgerError(f"this ledger is in {place.database_of(folder)} already: pg_dump and pg_restore move it on")
    if running_server(folder) is not None:
        raise LedgerError("the ledger's server is up, and would write what no copy has: `paribus down` first")
    if not place.sqlite_file(folder).is_file():
        raise LedgerError(f"there is no ledger in {folder} yet: `paribus up --ledger {address}` begins one there")
    postgres.check(address)
    if postgres.has_records(address):
        raise LedgerError(f"{address} has runs already, and two ledgers are not mixed: give an empty database")
    say("MLflow makes its tables there ...")
    _make_tables(address)
    num = _copy(place.sqlite_file(folder), address, say)
    place.write(folder, address)
    return num


def _make_tables(address: str) -> None:
    """MLflow's tables of this version, by its own command, in an empty database or in one of an earlier version."""
    from paribus.tracking.mlflow.server import QUIET

    words = [sys.executable, "-m", "mlflow", "db", "upgrade", place.sqlalchemy_uri(address)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=child_environment(QUIET))
    if done.returncode:
        raise LedgerError(f"MLflow could not make its tables in {address}: {(done.stderr or done.stdout)[-2000:]}")


def _copy(database: Path, address: str, say: Say) -> int:
    import sqlalchemy as sql

    source = sql.create_engine("sqlite://", creator=lambda: place.read_only(database))
    target = sql.create_engine(place.sqlalchemy_uri(address))
    try:
        with source.connect() as old, target.begin() as new:
            tables = _tables(old, new, database)
            names = ", ".join(f'"{table.name}"' for table in tables)
            new.execute(sql.text(f"TRUNCATE {names} CASCADE"))
            total = 0
            for table in tables:
                num = _copy_table(table, old, new)
                total += num
                if num:
                    say(f"{table.name}: {num} rows")
            return total
    except sql.exc.SQLAlchemyError as error:
        raise LedgerError(f"the ledger stays in {database}, for the copy failed: {error}") from error
    finally:
        source.dispose()
        target.dispose()


def _tables(old: sql.Connection, new: sql.Connection, database: Path) -> list[sql.Table]:
    """MLflow's tables as PostgreSQL has them, each after those that it refers to."""
    import sqlalchemy as sql

    versions = [str(each.execute(sql.text(f"SELECT version_num FROM {_VERSION}")).scalar()) for each in (old, new)]
    if versions[0] != versions[1]:
        raise LedgerError(
            f"{database} has MLflow's tables of version {versions[0]}, and this MLflow's are {versions[1]}: start its "
            "server once (`paribus up`, `paribus down`), which brings them along"
        )
    metadata = sql.MetaData()
    metadata.reflect(new)
    there = set(sql.inspect(old).get_table_names())
    found = [table for table in metadata.sorted_tables if table.name != _VERSION]
    if strange := sorted(there - {table.name for table in found} - {_VERSION, "sqlite_sequence"}):
        raise LedgerError(f"{database} has tables that MLflow's in PostgreSQL lack: {', '.join(strange)}")
    return [table for table in found if table.name in there]


def _copy_table(table: sql.Table, old: sql.Connection, new: sql.Connection) -> int:
    import sqlalchemy as sql

    num = 0
    for rows in old.execution_options(stream_results=True).execute(sql.select(table)).mappings().partitions(_ROWS):
        new.execute(table.insert(), [dict(row) for row in rows])
        num += len(rows)
    for column in table.primary_key.columns:
        text = sql.text("SELECT pg_get_serial_sequence(:table, :column)")
        sequence = new.execute(text, {"table": f'"{table.name}"', "column": column.name}).scalar()
        if sequence is not None:  # numbers that PostgreSQL gives go on above those that came along
            new.execute(
                sql.text(f'SELECT setval(:sequence, coalesce(max("{column.name}"), 0) + 1, false) FROM "{table.name}"'),
                {"sequence": sequence},
            )
    return num
