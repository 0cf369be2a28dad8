"""Where the tests of one file work together, on the session's cluster and server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox import Sandbox, Stack, environment


@pytest.fixture(scope="module")
def office(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("office")
    made = Sandbox(
        folder=folder / "a folder with spaces", env=environment(stack.checkout, folder / "home", **stack.joined)
    )
    yield made
    made.end()
