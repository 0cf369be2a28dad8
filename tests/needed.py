"""Programs that tests need and pip cannot bring."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def program(name: str, what: str = "", *, path: str | None = None) -> str:
    """Where the program is, on PATH or on `path`; skips without it, and fails where nothing may be skipped."""
    found = shutil.which(name, path=path)
    if found is None:
        missing(what or name)
    return found


def missing(what: str) -> NoReturn:
    """Skip the test, for `what` is not there; where nothing may be skipped it fails."""
    reason = f"{what} is missing: `make browser` installs it"
    if os.environ.get("PARIBUS_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
