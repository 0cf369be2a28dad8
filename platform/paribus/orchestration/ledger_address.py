"""Which MLflow server a command speaks to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def folder_of(home: Path) -> Path:
    """Where the local ledger lives: MLflow's SQLite database and artifacts."""
    return home / "mlflow"


@contextmanager
def ledger_at(home: Path, asked: str | None, *, start: bool) -> Iterator[str | None]:
    """The address of the ledger, for the while of a command.

    In this order: `asked`; MLFLOW_TRACKING_URI; the local server that runs on `home`; where `start`, one started on
    the same database for the while; else None.

    Raises:
        LedgerError: the address is not http(s), or a local server did not come up.
    """
    from paribus.tracking.rest import check_uri
    from paribus.tracking.server import running_server, start_server

    if named := asked or os.environ.get("MLFLOW_TRACKING_URI"):
        yield check_uri(named)
        return
    if running := running_server(folder_of(home)):
        yield running.uri
        return
    if not start:
        yield None
        return
    print("No ledger is up: starting one for this command (`make up` keeps one up) ...", file=sys.stderr, flush=True)
    server = start_server(folder_of(home))
    try:
        yield server.uri
    finally:
        server.stop()
