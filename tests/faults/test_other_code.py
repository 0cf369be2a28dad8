"""A node whose program is not the driver's: it refuses in words before it trains, and nothing is labelled wrongly."""

from __future__ import annotations

import json
import platform
import shutil
from pathlib import Path

import pytest
from sandbox import Sandbox

pytestmark = pytest.mark.cluster


def test_a_node_with_other_code_refuses_its_trials_and_one_with_the_same_trains_them(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    study = sandbox.study(replicates=1)
    altered = tmp_path / "platform"
    shutil.copytree(sandbox.env["PYTHONPATH"], altered, ignore=shutil.ignore_patterns("__pycache__"))
    loop = altered / "paribus" / "training" / "loop.py"
    loop.write_text(loop.read_text().replace('"cuda": 16', '"cuda": 17'))
    here, there = (_codes(sandbox, study, path) for path in (sandbox.env["PYTHONPATH"], str(altered)))
    assert len(here) == len(there) == 1
    assert here != there

    # The cluster's nodes have the checkout, and the driver has what was altered.
    refused = sandbox.run(study, PYTHONPATH=str(altered))
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert len(sandbox.trials(study)) == 2, refused.stderr
    for trial in sandbox.trials(study):
        assert (trial.outcome, trial.failure, trial.attempt) == ("failed", "node", 1)
        assert trial.reason.startswith(f"node: {platform.node()} would train with another program than the one that")
        assert f"code {here[0]} here, {there[0]} there" in trial.reason
    done = sandbox.run(study)
    assert done.returncode == 0, done.stderr
    assert [(trial.outcome, trial.code) for trial in sandbox.trials(study)] == [("finished", here[0])] * 2


def _codes(sandbox: Sandbox, study: Path, path: str) -> list[str]:
    said = sandbox.run(study, "plan", "--json", PYTHONPATH=path)
    assert said.returncode == 0, said.stderr
    trials = json.loads(said.stdout)["trials"]
    assert all(len(trial["id"]) == 64 for trial in trials)
    return sorted({trial["code"] for trial in trials})
