"""Which database a home's ledger is in: SQLite in its own folder, or the PostgreSQL that `paribus up --ledger` named.

The address lies in a file of the ledger's folder, so that every command that starts a server on that folder finds the
same records. It has no password: libpq, by which MLflow speaks to PostgreSQL, takes that from PGPASSFILE (by default
~/.pgpass), PGPASSWORD or a client certificate, none of which shows in a list of processes.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from paribus.host.secrets import without_secrets
from paribus.tracking.errors import LedgerError

SQLITE = "sqlite"
_FILE = "database"
_SCHEMES = ("postgresql", "postgres")
_FORM = "postgresql://USER@HOST:PORT/DATABASE"
_WHERE = (
    "PostgreSQL's own places for it are ~/.pgpass or the file that PGPASSFILE names (mode 0600, a line "
    "HOST:PORT:DATABASE:USER:PASSWORD), and PGPASSWORD"
)


def checked(address: str) -> str:
    """The address as it is kept: `sqlite`, or that of a PostgreSQL database without a password.

    Raises LedgerError for any other address, and for one with a password in it, which any user of the machine would
    read in the list of processes.
    """
    if address == SQLITE:
        return SQLITE
    try:
        parts = urlsplit(address)
        named = parts.scheme in _SCHEMES and parts.hostname and parts.path.strip("/") and parts.port != 0
    except ValueError:
        named = None
    if not named:
        raise LedgerError(
            f"{without_secrets(address)!r} is no database for a ledger: give {_FORM}, or {SQLITE!r} for the one in "
            "PARIBUS_HOME"
        )
    if parts.password or any(name == "password" for name, _ in parse_qsl(parts.query)):
        raise LedgerError(
            f"there is a password in {without_secrets(address)}, where every user of this machine can read it: "
            f"leave it out. {_WHERE}"
        )
    return parts._replace(scheme="postgresql").geturl()


def database_of(folder: Path) -> str:
    """The database of the ledger in `folder`, as `checked` gives it. Raises LedgerError for a file that is not ours."""
    try:
        return checked((folder / _FILE).read_text().strip())
    except FileNotFoundError:
        return SQLITE
    except LedgerError as error:
        raise LedgerError(f"{folder / _FILE} names the ledger's database, and is damaged: {error}") from error


def write(folder: Path, address: str) -> None:
    """Keep the address, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{_FILE}.{os.getpid()}"
    draft.write_text(f"{address}\n")
    draft.replace(folder / _FILE)


def sqlite_file(folder: Path) -> Path:
    """MLflow's database where it is SQLite."""
    return folder / "mlflow.db"


def read_only(file: Path) -> sqlite3.Connection:
    """A connection to an SQLite database that changes nothing of it."""
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, check_same_thread=False)


def has_records(folder: Path) -> bool:
    """Whether the SQLite database of `folder` holds a run. Raises LedgerError for a file that is no database."""
    file = sqlite_file(folder)
    if not file.is_file():
        return False
    try:
        with closing(read_only(file)) as base:
            if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone():
                return False
            return base.execute("SELECT 1 FROM runs LIMIT 1").fetchone() is not None
    except sqlite3.Error as error:
        raise LedgerError(f"{file} can't be read as MLflow's database ({error})") from error


def backend_uri(folder: Path) -> str:
    """The database of `folder` in SQLAlchemy's words, as `mlflow server` takes it."""
    address = database_of(folder)
    return f"sqlite:///{sqlite_file(folder)}" if address == SQLITE else sqlalchemy_uri(address)


def sqlalchemy_uri(address: str) -> str:
    """The address of a PostgreSQL in SQLAlchemy's words, which name the driver too."""
    return address.replace("postgresql://", "postgresql+psycopg://", 1)
