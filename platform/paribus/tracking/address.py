"""Which MLflow server a command speaks to."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from paribus.host.home import private_folder
from paribus.host.interruption import last_resort
from paribus.host.processes import is_same_process

if TYPE_CHECKING:
    from paribus.tracking.mlflow.server import ServerProcess

# In the ledger's folder: who uses a server that a command started for itself, and which one that is.
_USERS, _STARTING, _OURS = "users.lock", "starting.lock", "temporary"
# Seconds for the requests under way: SQLite loses nothing, whenever its server ends.
_STOP_S, _AT_ONCE_S = 3.0, 1.0
_ENDED = "The ledger's server ends with this command, and its addresses with it: `paribus up` keeps one up."
_STARTED = "No ledger is up: starting one for this command ..."


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
    from paribus.tracking.mlflow.rest import check_uri
    from paribus.tracking.mlflow.server import running_server

    if named := asked or os.environ.get("MLFLOW_TRACKING_URI"):
        yield check_uri(named)
        return
    running = running_server(folder_of(home))
    if not start:
        yield running.uri if running else None
        return
    with _shared_server(folder_of(home)) as uri:
        yield uri


@contextmanager
def _shared_server(folder: Path) -> Iterator[str]:
    """A server for as long as any command needs it: the last one of those that share it ends it.

    Every user holds a shared lock on one file, which the system takes back however a command ends; who gets it
    exclusively at its end is the last one. So a killed command leaves its server to the next one, which ends it.
    """
    from paribus.tracking.mlflow.server import running_server, start_server

    private_folder(folder.parent)
    private_folder(folder)
    with (folder / _USERS).open("w") as users:
        with _locked(folder / _STARTING):
            fcntl.flock(users, fcntl.LOCK_SH)
            server = running_server(folder)
            if server is None:
                _end_half_started(folder)
                print(_STARTED, file=sys.stderr, flush=True)
                # Noted before it answers: a command that is killed meanwhile leaves its server to the next one.
                server = start_server(folder, started=lambda new: _mark(folder, new))
        with last_resort(lambda: _end_if_last(folder, users, server, _AT_ONCE_S)):
            try:
                yield server.uri
            finally:
                with _locked(folder / _STARTING):
                    if _end_if_last(folder, users, server):
                        print(_ENDED, file=sys.stderr)


def _mark(folder: Path, server: ServerProcess) -> None:
    (folder / _OURS).write_text(f"{server.pid} {server.pid_start}")


def left_server(folder: Path) -> tuple[int, bool] | None:
    """The living server that a command started for its while: its process, and whether a command uses it now."""
    noted = _noted(folder)
    if noted is None or not is_same_process(*noted):
        return None
    with (folder / _USERS).open("a") as users:
        return noted[0], not _is_last(users)


def _noted(folder: Path) -> tuple[int, str] | None:
    try:
        pid, started = (folder / _OURS).read_text().split()
        return int(pid), started
    except (OSError, ValueError):
        return None


def _end_half_started(folder: Path) -> None:
    """End the server that a command started and, killed before it answered, could not put on record."""
    from paribus.tracking.mlflow.server import ServerProcess

    if noted := _noted(folder):
        pid, started = noted
        ServerProcess(uri="", pid=pid, pid_start=started, folder=str(folder), log="").stop(_STOP_S)


def _end_if_last(folder: Path, users: TextIO, server: ServerProcess, timeout_s: float = _STOP_S) -> bool:
    if not _is_last(users) or not _is_temporary(folder, server):
        return False
    server.stop(timeout_s)
    (folder / _OURS).unlink(missing_ok=True)
    return True


def _is_last(users: TextIO) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_temporary(folder: Path, server: ServerProcess) -> bool:
    """Whether a command started the server for itself; that of `up` stays."""
    mark = folder / _OURS
    return mark.exists() and mark.read_text() == f"{server.pid} {server.pid_start}"


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
