"""The local server: found again, ended whole, and clear about why it can't start."""

from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import httpx
import pytest

from paribus.tracking import LedgerError
from paribus.tracking.server import ServerProcess, running_server, start_server

pytestmark = pytest.mark.cluster


def test_a_running_server_is_found_by_its_folder(mlflow_server: ServerProcess, tmp_path: Path) -> None:
    found = running_server(Path(mlflow_server.folder))
    assert found is not None
    assert (found.uri, found.alive) == (mlflow_server.uri, True)
    assert running_server(tmp_path) is None


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LedgerError, match=f"Port {port} on 127.0.0.1"):
            start_server(tmp_path / "mlflow", port=port)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, whatever its name says\n" * 100)
    with pytest.raises(LedgerError, match=r"mlflow\.db can't be used as MLflow's database"):
        start_server(tmp_path)


def test_a_server_that_does_not_come_up_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('from the future')")
    database.close()
    with pytest.raises(LedgerError, match=r"(?s)ended with exit code.*mlflow\.log.*from the future"):
        start_server(tmp_path)


def test_a_strange_host_name_is_refused_by_the_server(uri: str) -> None:
    answer = httpx.post(f"{uri}/api/2.0/mlflow/experiments/search", headers={"host": "evil.example"}, json={})
    assert answer.status_code == 403
