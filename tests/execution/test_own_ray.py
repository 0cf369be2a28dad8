"""A Ray of a study's own: where it cannot be started, a sentence says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from paribus.execution.executor import ClusterError, cluster


@pytest.mark.parametrize("where", ["nowhere/at/all", "file"])
def test_a_folder_that_ray_cannot_use_is_named_with_the_variable_that_chose_it(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / where))
    with pytest.raises(ClusterError, match=rf"Ray cannot start below {tmp_path / where} .*set RAY_TMPDIR"), cluster(1):
        raise AssertionError("it started")
