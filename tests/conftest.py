"""What the suites that run whole studies share: a checkout of their own, one real stack, and a sandbox per test."""

from __future__ import annotations

import gc
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sandbox import PORTS, Sandbox, Stack, environment, free_ports

pytest_plugins = ["shard_sets"]
if TYPE_CHECKING:
    from shelf import Shelf

    from paribus.tracking.mlflow.server import ServerProcess

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files whose tests use the stack come last: it takes 6 % of a core for as long as it is there, idle or not."""
    users = {item.path for item in items if "stack" in getattr(item, "fixturenames", ())}
    items.sort(key=lambda item: item.path in users)


def pytest_collection_finish() -> None:
    """Nine thousand tests and what they import live to the end: no collection of garbage looks at them again.

    Otherwise each takes 0.6 s, and there are libraries that ask for one in every call.
    """
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # else libraries in C++ count what is left and call it a leak


@pytest.fixture(scope="session")
def checkout() -> Iterator[Path]:
    """A copy of what a study needs of the repository, at a short path: Ray's sockets lie below it."""
    folder = Path(tempfile.mkdtemp(prefix="pb", dir="/tmp"))
    # What it links to, the dashboard's pages among it, is copied too.
    shutil.copytree(REPOSITORY / "platform", folder / "platform", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "studies").mkdir()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def stack(checkout: Path) -> Iterator[Stack]:
    with_ports = dict(zip((*PORTS, "PARIBUS_DASHBOARD_PORT"), map(str, free_ports(5)), strict=True))
    started = Stack(checkout=checkout, home=checkout / "home", ports=with_ports)
    try:
        started.up()
        yield started
    finally:
        started.down()


@pytest.fixture
def sandbox(stack: Stack, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox on the session's stack."""
    shell = {**stack.joined, "PARIBUS_CHECKPOINT_S": "0.2"}
    made = Sandbox(folder=tmp_path / "work", env=environment(stack.checkout, tmp_path / "home", **shell))
    yield made
    made.end()


@pytest.fixture
def lone_sandbox(checkout: Path, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox with no cluster and no server."""
    made = Sandbox(folder=tmp_path / "work", env=environment(checkout, tmp_path / "home"))
    yield made
    made.end()


@pytest.fixture(scope="session")
def shelf_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    from paribus.tracking.mlflow.server import start_server

    server = start_server(tmp_path_factory.mktemp("mlflow"))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shelf_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def shelf(shelf_server: ServerProcess, shelf_home: Path) -> Iterator[Shelf]:
    from shelf import Shelf

    made = Shelf(shelf_server.uri, shelf_home)
    yield made
    made.close()
