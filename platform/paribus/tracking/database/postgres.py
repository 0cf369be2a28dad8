"""A PostgreSQL that MLflow is to write to: whether it can be used, and its dump by PostgreSQL's own programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.tracking.errors import LedgerError

if TYPE_CHECKING:
    import psycopg

_CONNECT_S = 5
_PASSWORDS = "; its password belongs into ~/.pgpass or the file that PGPASSFILE names, or PGPASSWORD"


def connect(address: str) -> psycopg.Connection:
    """A connection to the database. Raises LedgerError where the driver is missing or none can be had."""
    try:
        import psycopg
    except ImportError as error:
        raise LedgerError(
            f"a ledger in PostgreSQL needs its driver ({error}): pip install 'paribus[cluster]', or 'psycopg[binary]'"
        ) from error
    try:
        return psycopg.connect(address, connect_timeout=_CONNECT_S)
    except psycopg.Error as error:
        told = " ".join(str(error).split()) or type(error).__name__
        hint = _PASSWORDS if "password" in told else ""
        raise LedgerError(f"{address} can't be used as the ledger's database: {told}{hint}") from error


def check(address: str) -> None:
    """Raise LedgerError, in a sentence, unless MLflow can make its tables in the database at `address`."""
    with connect(address) as base:
        encoding, may_create, user = _one(
            base,
            "SELECT current_setting('server_encoding'), has_schema_privilege(current_schema(), 'CREATE'), current_user",
        )
    if encoding != "UTF8":
        raise LedgerError(f"{address} stores text as {encoding}, and a ledger needs UTF8: createdb --encoding=UTF8")
    if not may_create:
        raise LedgerError(f"{user} may make no tables in {address}: ALTER DATABASE ... OWNER TO {user}")


def max_connections(address: str) -> int:
    """How many connections the database at `address` gives this user at once."""
    limits = "SELECT least(current_setting('max_connections')::int, nullif(rolconnlimit, -1), nullif(datconnlimit, -1))"
    with connect(address) as base:
        (number,) = _one(
            base, f"{limits} FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()"
        )
    assert isinstance(number, int)
    return number


def has_records(address: str) -> bool:
    """Whether a run is in the database."""
    with connect(address) as base:
        (there,) = _one(base, "SELECT to_regclass('runs') IS NOT NULL")
        return bool(there) and base.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None


def dump(address: str, to: Path) -> None:
    """Write the whole database, as it is at one moment and while it is written to, into the file `to`."""
    _program("pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={to}", f"--dbname={address}")


def load(address: str, dumped: Path) -> None:
    """Put what `dump` wrote in the place of the database's tables, all of it or nothing."""
    words = ("--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
    _program("pg_restore", *words, f"--dbname={address}", str(dumped))


def _program(name: str, *words: str) -> None:
    if shutil.which(name) is None:
        raise LedgerError(f"{name} is missing: install PostgreSQL's client programs (on Debian: postgresql-client)")
    done = subprocess.run([name, "--no-password", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LedgerError(f"{name} failed: {done.stderr.strip() or f'exit code {done.returncode}'}")


def _one(base: psycopg.Connection, query: str) -> tuple[object, ...]:
    row = base.execute(query.encode()).fetchone()
    assert row is not None
    return row
