"""The local server: found again, ended whole, and clear about why it can't start."""

from __future__ import annotations

import socket
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from sandbox import HOSTILE

from paribus.host.child_environment import child_environment
from paribus.tracking import LedgerError, MlflowRest
from paribus.tracking.mlflow.runs import Metric, create_run, ensure_experiment, log_batch, now_ms
from paribus.tracking.mlflow.server import ServerProcess, running_server, start_server

pytestmark = pytest.mark.cluster


def test_a_server_has_its_own_artifacts_database_and_hosts_whatever_the_shell_says(
    mlflow_server: ServerProcess, rest: MlflowRest
) -> None:
    """The session's server was started under `HOSTILE`; a credential of a store goes through."""
    assert httpx.get(f"{mlflow_server.uri}/health", trust_env=False).text == "OK"
    experiment = rest.post("experiments/create", {"name": "shell"})["experiment_id"]
    found = rest.get("experiments/get", experiment_id=experiment)["experiment"]
    assert found["artifact_location"] == f"mlflow-artifacts:/{experiment}"
    put = httpx.put(
        f"{mlflow_server.uri}/api/2.0/mlflow-artifacts/artifacts/{experiment}/x.txt", content=b"x", trust_env=False
    )
    assert put.status_code == 200
    assert (Path(mlflow_server.folder) / "artifacts" / experiment / "x.txt").read_bytes() == b"x"
    assert (Path(mlflow_server.folder) / "mlflow.db").stat().st_size > 0
    now = running_server(Path(mlflow_server.folder))  # another test may have ended it and started it again
    assert now is not None
    for process in (psutil.Process(now.pid), *psutil.Process(now.pid).children()):
        assert not {name for name in HOSTILE if not name.startswith(("MLFLOW_", "http", "HTTP", "all"))} & set(
            process.environ()
        )
    kept = {"AWS_SECRET_ACCESS_KEY": "x", "MLFLOW_S3_ENDPOINT_URL": "http://store", "RAY_memory_usage_threshold": "0.9"}
    assert child_environment(base={**kept, **HOSTILE}).items() >= kept.items()
    assert "127.0.0.1" in child_environment(base={"no_proxy": "intranet"})["NO_PROXY"].split(",")
    assert "PYTHONDONTWRITEBYTECODE" not in child_environment(base={"PYTHONDONTWRITEBYTECODE": "1"})


def test_a_running_server_is_found_by_its_folder(mlflow_server: ServerProcess, tmp_path: Path) -> None:
    found = running_server(Path(mlflow_server.folder))
    assert found is not None
    assert (found.uri, found.alive) == (mlflow_server.uri, True)
    assert running_server(tmp_path) is None


def test_many_workers_record_at_one_moment(uri: str) -> None:
    """More than MLflow has connections for by itself: each holds one while it waits for another, and none goes on."""
    with MlflowRest(uri, budget_s=0.0) as rest:
        run = create_run(rest, ensure_experiment(rest, "crowd"), "crowd", {}).run_id
        points = [[Metric(f"of {worker}", float(worker), now_ms(), 0)] for worker in range(48)]
        with ThreadPoolExecutor(len(points)) as workers:
            assert list(workers.map(lambda batch: log_batch(rest, run, batch), points)) == [1] * 48


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
