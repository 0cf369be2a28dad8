"""The local MLflow server: a real `mlflow server` on SQLite or PostgreSQL, for the local stack, a study and tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from paribus.host.child_environment import child_environment
from paribus.host.home import private_folder
from paribus.host.processes import family_of, is_running, is_same_process, start_of, uninterrupted
from paribus.tracking.database import place, postgres
from paribus.tracking.errors import LedgerError

_START_S = 120.0
# For a server that did not come up: it has no request under way.
_STOP_S = 2.0
_STATE = "server.json"
# Processes that serve a PostgreSQL, at most; to SQLite one writes at a time in any case.
_MOST_WORKERS = 4
# MLflow answers up to 40 requests at once in each process, and one that writes asks for a second connection while it
# holds its first. With no more connections than requests, all hold one and wait for another: nothing moves until each
# has waited for 30 s and is refused. One more, and one of them always goes on.
_CONNECTIONS = 41
# What the database keeps for others: backups, a person with psql, its own superusers.
_SPARE = 8
# Neither usage reports nor the language-model job runner (a further process) belongs to a ledger.
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """A server that this or an earlier process of ours started."""

    uri: str
    pid: int
    pid_start: str
    folder: str
    log: str

    @property
    def alive(self) -> bool:
        """Whether the very process that was started still runs.

        From another boot or PID namespace that can't be told: then, whether its address answers.
        """
        known = is_running(self.pid, self.pid_start)
        if known is not None:
            return known
        parts = urlsplit(self.uri)
        return _answers(str(parts.hostname), parts.port or 80)

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the server and its workers; safe to repeat."""
        state = Path(self.folder) / _STATE
        if is_same_process(self.pid, self.pid_start):
            # A worker may outlive the process that started it by as long as a request takes: wait for all of them.
            family = family_of(self.pid)
            _signal_group(self.pid, signal.SIGTERM)
            deadline = time.monotonic() + timeout_s
            while any(is_same_process(*member) for member in family) and time.monotonic() < deadline:
                _reap(self.pid)
                time.sleep(0.05)
            if any(is_same_process(*member) for member in family):
                _signal_group(self.pid, signal.SIGKILL)
                _reap(self.pid, wait=True)
        if _recorded(state) == self:
            state.unlink(missing_ok=True)


def start_server(
    folder: Path,
    port: int | None = None,
    host: str = "127.0.0.1",
    log: Path | None = None,
    started: Callable[[ServerProcess], object] = lambda _: None,
) -> ServerProcess:
    """Start `mlflow server` with its artifacts in `folder`, and wait until it answers (5 to 15 s).

    Its database is SQLite in `folder`, or what `database/place.py` says of it.
    `port` None takes a free one. `started` is told of the server before it answers. The server has a session of its
    own: a terminal's Ctrl-C does not end it.
    Raises LedgerError with the end of the log if it does not come up, or at once if the port is taken.
    """
    private_folder(folder)
    log = log or folder / "mlflow.log"
    port = port or _free_port(host)
    _check_port(host, port)
    _prepare_database(folder)
    server: ServerProcess | None = None
    try:
        with uninterrupted(), log.open("ab") as output:
            process = subprocess.Popen(
                _command(folder.resolve(), host, port),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=child_environment(QUIET | pool(_CONNECTIONS)),
                start_new_session=True,
            )
            pid, began = process.pid, start_of(process.pid)
            server = ServerProcess(
                uri=f"http://{host}:{port}", pid=pid, pid_start=began, folder=str(folder), log=str(log)
            )
            started(server)
        _wait_until_healthy(process, host, port, log)
        (folder / _STATE).write_text(json.dumps(asdict(server)))
    except BaseException:
        if server is not None:
            server.stop(_STOP_S)
        raise
    # The process outlives us on purpose; without this Popen would warn that it is still running.
    process.returncode = 0
    return server


def pool(connections: int) -> dict[str, str]:
    """The environment in which each process of a server keeps so many connections to its database, and opens no more.

    MLflow takes 0 for "not said", which is 10 beside those that it keeps.
    """
    return {
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(connections - 1),
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "1",
    }


def running_server(folder: Path) -> ServerProcess | None:
    """The server that serves `folder`, if one that we started is still alive."""
    server = _recorded(folder / _STATE)
    return server if server is not None and server.alive else None


def _command(folder: Path, host: str, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", host, "--port", str(port), "--workers", str(_num_workers(folder))),
        *("--backend-store-uri", place.backend_uri(folder)),
        *("--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")),
        # Of several, one that does not answer uvicorn in time is replaced: by default after 5 s, which on a crowded
        # machine is less than it takes to load MLflow, so that they are replaced for ever.
        *("--uvicorn-opts", "--log-level warning --no-access-log --timeout-worker-healthcheck 120"),
    ]


def _num_workers(folder: Path) -> int:
    """As many processes as there are cores and as the database has connections for."""
    address = place.database_of(folder)
    if address == place.SQLITE:
        return 1
    there = postgres.max_connections(address)
    if there < _CONNECTIONS + _SPARE:
        logging.getLogger(__name__).warning(
            "%s allows %d connections at once. MLflow comes to a standstill where more workers than that record at one "
            "moment: let it allow %d (max_connections in postgresql.conf).",
            *(address, there, _CONNECTIONS + _SPARE),
        )
    return max(1, min(_MOST_WORKERS, os.cpu_count() or 1, (there - _SPARE) // _CONNECTIONS))


def _prepare_database(folder: Path) -> None:
    address, path = place.database_of(folder), place.sqlite_file(folder)
    if address != place.SQLITE:
        postgres.check(address)
        return
    # The journal mode is a property of the file: with a write-ahead log readers don't wait for writers. Its log has the
    # modes of the file, which is this user's alone.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    except (sqlite3.Error, OSError) as error:
        raise LedgerError(
            f"{path} can't be used as MLflow's database ({error}); move it away, or choose another folder."
        ) from error


def _wait_until_healthy(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LedgerError(f"`mlflow server` ended with exit code {process.returncode}.\n{_tail(log)}")
        if _answers(host, port):
            return
        time.sleep(0.05)
    raise LedgerError(f"`mlflow server` did not answer on {host}:{port} within {_START_S:.0f} s.\n{_tail(log)}")


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _tail(log: Path, num_lines: int = 25) -> str:
    lines = log.read_text(errors="replace").splitlines()[-num_lines:]
    return "\n".join([f"The end of {log}:", *lines])


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


def _check_port(host: str, port: int) -> None:
    with socket.socket() as probe:
        # As the server will: a port that only waits out its last connections is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LedgerError(
                f"Port {port} on {host} can't be used for MLflow ({error.strerror}); "
                "end what uses it, or choose another port."
            ) from error


def _recorded(state: Path) -> ServerProcess | None:
    try:
        found = ServerProcess(**json.loads(state.read_text()))
        kinds = {"uri": str, "pid": int, "pid_start": str, "folder": str, "log": str}
        sound = all(type(getattr(found, name)) is kind for name, kind in kinds.items())
        return found if sound and urlsplit(found.uri).port else None
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def _reap(pid: int, *, wait: bool = False) -> None:
    # A child that has ended stays a zombie, and looks alive, until its parent asks for it.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0 if wait else os.WNOHANG)
