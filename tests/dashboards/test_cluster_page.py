"""The Cluster page over a real ledger."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from paribus.study import Study
from paribus.study.words import Arm
from paribus.tracking.mlflow.server import ServerProcess

pytestmark = pytest.mark.cluster


def test_it_says_which_machine_trains_what(
    open_home: Callable[[str], AppTest],
    said: Callable[[AppTest], str],
    filler: Any,
    make_study: Callable[..., Study],
    mlflow_server: ServerProcess,
) -> None:
    study = make_study("clustered", factors={"model.depth": (16, 22)}, baseline=None, claim=None, replicates=2)

    def fate(arm: Arm, replicate: int) -> str:
        return ("failed", "running")[replicate - 1]

    with filler.driver(study, fate) as run:
        app = open_home(mlflow_server.uri)
        app.switch_page("pages/cluster.py")
        said(app.run())
        machines, at_work = (frame.value for frame in app.dataframe)
        run.finish("KILLED", {"failed": 2})  # nobody else's page counts it among what runs
    assert platform.node() in set(machines["machine"])
    mine = at_work[at_work["study"] == "clustered"]
    assert sorted(mine["trial"]) == ["depth=16 · r2", "depth=22 · r2"]
    assert set(mine["machine"]) == {platform.node()}
    assert "failed" in " ".join(machines["attempts ended since yesterday"])
