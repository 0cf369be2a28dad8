"""Where a home's ledger is kept from now on, as `paribus up --ledger` asks."""

from __future__ import annotations

from pathlib import Path

from paribus.tracking.database.place import SQLITE, checked, database_of, has_records, sqlite_file, write
from paribus.tracking.database.postgres import check
from paribus.tracking.errors import LedgerError
from paribus.tracking.mlflow.server import running_server


def choose(folder: Path, address: str) -> None:
    """Put the ledger of `folder` in the database at `address` from now on, in one step; moves no records.

    Raises:
        LedgerError: the address is none, nothing there can be used, a server runs on another database, or the folder
            has records in SQLite that would be out of sight.
    """
    address, before = checked(address), database_of(folder)
    if address == before:
        return
    if running_server(folder) is not None:
        raise LedgerError(
            f"the ledger's server runs on {before}: `paribus down` first, then it can have another database"
        )
    if before == SQLITE and has_records(folder):
        raise LedgerError(
            f"{sqlite_file(folder)} has records, which would be out of sight: `paribus ledger move {address}` takes "
            "them along"
        )
    if address != SQLITE:
        check(address)
    write(folder, address)
