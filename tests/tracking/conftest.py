"""One real MLflow server for the session, and a study name of its own for every test."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_line import Line, faulty_line
from sandbox import HOSTILE

from paribus.study import Arm
from paribus.tracking import MlflowRest, TrialRecord
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import ServerProcess, running_server, start_server


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that the whole session shares, started from a shell that is set up for others. A test that stops it
    starts it again at the same address."""
    with pytest.MonkeyPatch.context() as shell:
        for name, value in HOSTILE.items():
            shell.setenv(name, value)
        server = start_server(tmp_path_factory.mktemp("mlflow"))
    yield server
    if still := running_server(Path(server.folder)):
        still.stop()


@pytest.fixture
def uri(mlflow_server: ServerProcess) -> str:
    return mlflow_server.uri


@pytest.fixture
def rest(uri: str) -> Iterator[MlflowRest]:
    client = MlflowRest(uri)
    yield client
    client.close()


@pytest.fixture
def ledger(uri: str) -> Iterator[Ledger]:
    reader = Ledger(uri)
    yield reader
    reader.close()


@pytest.fixture
def study() -> str:
    return f"study-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def begin(study: str) -> Callable[..., TrialRecord]:
    """Trials of this test's study as an attempt begins: `begin(replicate=2, attempt=3)`."""

    def make(attempt: int = 1, resumed_step: int = 0, **changes: Any) -> TrialRecord:
        replicate = changes.get("replicate", 0)
        fields: dict[str, Any] = {
            "study": study,
            "trial_id": f"{study}-k4-r{replicate}",
            "arm": Arm((("model.width", 4.0), ("model.block", (3, 3)))),
            "arm_name": "k=4 · block=(3,3)",
            "replicate": replicate,
            "params": {"optimizer.lr": "0.1"},
        }
        return TrialRecord(**(fields | changes)).begun(attempt, resumed_step)

    return make


@pytest.fixture
def line(uri: str) -> Iterator[Line]:
    """A line before the session's server, to be made faulty."""
    with faulty_line(uri) as made:
        yield made
