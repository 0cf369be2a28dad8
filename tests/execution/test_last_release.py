"""A ledger that the release before wrote is read, judged by the rule of today, and extended; nothing trains again."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox import Sandbox, Stack, environment

from paribus.tracking.mlflow.server import start_server

pytestmark = pytest.mark.cluster
GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def old(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose ledger is the old release's database and artifacts, behind a server of today."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(GOLDEN / "last_release.tar.xz") as packed:
        packed.extractall(folder, filter="data")
    server = start_server(folder / "mlflow")
    cluster = {**stack.joined, "MLFLOW_TRACKING_URI": server.uri}
    made = Sandbox(folder=folder / "work", env=environment(stack.checkout, folder / "home", **cluster))
    made.folder.mkdir()
    shutil.copy(GOLDEN / "last_release.py", made.folder)
    yield made
    made.end()
    server.stop()


@pytest.fixture(scope="module")
def file(old: Sandbox) -> Path:
    return old.folder / "last_release.py"


def test_every_trial_of_the_old_ledger_is_counted_and_one_at_chance_is_stuck(old: Sandbox, file: Path) -> None:
    said = old.run("paribus", "status", file)
    assert said.returncode == 0, said.stderr
    assert "16 of 16 trials have ended" in said.stdout
    for count, outcome in ((8, "finished"), (4, "diverged"), (4, "stuck")):
        assert f"{count} {outcome}" in said.stdout


def test_the_old_ledger_is_judged_by_todays_rule(old: Sandbox, file: Path) -> None:
    said = old.run("paribus", "report", file, "--json")
    assert said.returncode == 0, said.stderr
    judged = json.loads(said.stdout)
    verdicts = {row["arm"]: row["verdict"] for row in judged["verdicts"] if row["metric"] == "top1"}
    assert verdicts == {"lr=0.2": "better", "lr=1e-06": "worse (unstable)", "lr=1e+06": "worse (unstable)"}
    assert judged["claim"]["outcome"] == "reproduced"


def test_the_old_study_is_extended_without_training_anything_again(old: Sandbox, file: Path) -> None:
    before = {trial.trial_id: (trial.run_id, trial.ended_ms) for trial in old.trials(file)}
    assert len(before) == 16
    said = old.run("paribus", "run", file, "--replicates", 5, "--accept-code")
    assert said.returncode == 0, said.stderr
    assert "16 done, skipped" in said.stdout
    assert "[4/4]" in said.stdout
    after = {trial.trial_id: (trial.run_id, trial.ended_ms) for trial in old.trials(file)}
    assert len(after) == 20
    assert {trial: after[trial] for trial in before} == before
