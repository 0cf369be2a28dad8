"""A real MLflow server for what needs no cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from shelf import Shelf

from paribus.tracking.server import ServerProcess, start_server


@pytest.fixture(scope="session")
def shelf_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = start_server(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shelf_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def shelf(shelf_server: ServerProcess, shelf_home: Path) -> Iterator[Shelf]:
    made = Shelf(shelf_server.uri, shelf_home)
    yield made
    made.close()
