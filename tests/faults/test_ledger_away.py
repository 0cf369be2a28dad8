"""An MLflow that is away: training goes on, nothing is lost, and the same command brings all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from faulty_line import ARTIFACTS, Answer, faulty_line
from sandbox import BIN, HANGS_S, LONG, Sandbox, Stack, environment, free_ports, wait_for

from paribus.tracking import MlflowRest
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import ServerProcess, running_server, start_server
from paribus.training.checkpoints.weights import decode_weights

pytestmark = pytest.mark.cluster
Check = Callable[[Sandbox, Path], None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A ledger of the test's own, to be taken away."""
    folder = tmp_path / "ledger"
    started = start_server(folder)
    yield started
    if still := running_server(folder):
        still.stop()


@pytest.fixture
def own(stack: Stack, tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox on the session's cluster; the tests say where the ledger is."""
    shell = {name: value for name, value in stack.joined.items() if name.startswith("RAY_")}
    env = environment(stack.checkout, tmp_path / "home", **shell, PARIBUS_CHECKPOINT_S="0.2")
    made = Sandbox(folder=tmp_path / "work", env=env)
    yield made
    made.end()


def spooled(sandbox: Sandbox) -> list[Path]:
    return list((sandbox.home / "spool").glob("*/*/*/records.jsonl"))


def test_a_ledger_that_is_down_at_the_start_gets_everything_from_the_next_same_command(
    own: Sandbox, tmp_path: Path
) -> None:
    port = free_ports(1)[0]
    own.env["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{port}"
    study = own.study(replicates=1)
    away = own.run(study, PARIBUS_DRAIN_S="2")
    assert away.returncode == 1, away.stdout + away.stderr
    assert "[2/2]" in away.stdout
    assert "results wait on disk" in away.stdout
    assert "The same command sends them and prints the verdicts" in away.stderr
    assert "Traceback" not in away.stdout + away.stderr
    assert len(spooled(own)) == 2
    there = start_server(tmp_path / "late", port=port)
    try:
        again = own.run(study)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "2 done, skipped" in again.stdout
        assert "MLflow: http" in again.stdout
        trials = own.trials(study)
        assert [(trial.outcome, trial.attempt, trial.status) for trial in trials] == [("finished", 1, "FINISHED")] * 2
        assert not spooled(own)
        with Ledger(there.uri) as ledger:
            assert all(decode_weights(ledger.weights(trial)) for trial in trials), "weights too wait on disk"
    finally:
        there.stop()


def test_a_ledger_that_dies_in_mid_study_delays_and_loses_nothing(
    own: Sandbox, server: ServerProcess, assert_completed: Check
) -> None:
    own.env["MLFLOW_TRACKING_URI"] = server.uri
    study = own.study(**LONG)
    driver = own.start(study)
    wait_for(lambda: own.checkpoints(study), "a checkpoint")
    server.stop()
    before, seen = set(own.checkpoints(study)), set[Path]()

    def goes_on() -> bool:
        seen.update(own.checkpoints(study))
        return len(seen - before) > 8

    wait_for(goes_on, "training that goes on with no ledger")
    start_server(Path(server.folder), port=urlsplit(server.uri).port)
    out, err = driver.communicate(timeout=HANGS_S)
    assert driver.returncode == 0, out + err
    assert "Traceback" not in out + err
    assert_completed(own, study)
    assert [trial.attempt for trial in own.trials(study)] == [1] * 4
    assert [trial.step for trial in own.trials(study)] == [400] * 4


def test_an_experiment_whose_files_nobody_can_write_is_refused_before_training(
    own: Sandbox, server: ServerProcess
) -> None:
    own.env["MLFLOW_TRACKING_URI"] = server.uri
    study = own.study(replicates=1)
    with MlflowRest(server.uri) as rest:
        rest.post("experiments/create", {"name": study.stem, "artifact_location": "s3://a-colleagues-bucket/runs"})
    refused = own.run(study)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "training 2 trials" not in refused.stdout
    assert "s3://a-colleagues-bucket/runs" in refused.stderr
    assert "give the study another name" in refused.stderr
    assert "Traceback" not in refused.stderr
    with Ledger(server.uri) as ledger:
        parent = ledger.study(study.stem)
    assert parent is not None
    assert (parent.status, parent.live) == ("FAILED", False), "the lease is given up"


def test_results_that_mlflow_refuses_are_kept_said_and_sent_by_the_next_same_command(
    own: Sandbox, server: ServerProcess
) -> None:
    words = json.dumps({"error_code": "INVALID_PARAMETER_VALUE", "message": "over this server's quota"}).encode()
    with faulty_line(server.uri) as line:
        line.fault = lambda method, path, body: (
            Answer(status=400, body=words)
            if b'"final/top1"' in body
            else Answer(status=507)
            if ARTIFACTS in path and path.endswith("weights.pt")
            else None
        )
        own.env["MLFLOW_TRACKING_URI"] = line.uri
        study = own.study(replicates=1)
        lost = own.run(study, PARIBUS_DRAIN_S="2")
        assert lost.returncode == 1, lost.stdout + lost.stderr
        assert "2 of the 2 results of this run are not in the ledger" in lost.stderr
        assert "over this server's quota" in lost.stderr
        assert "paribus ledger send" in lost.stderr
        with Ledger(server.uri) as ledger:
            parent = ledger.study(study.stem)
        assert parent is not None
        assert parent.counts.get("finished", 0) == 0, "what the ledger does not have is not counted"
        assert parent.status != "FINISHED"
        again = own.run(study, PARIBUS_DRAIN_S="2")
        assert again.returncode == 1, again.stdout + again.stderr
        assert "2 trials have ended, and MLflow refuses the records" in again.stderr
        assert "training" not in again.stdout, "nothing is trained again to be lost again"
        listed = own.run(BIN / "paribus", "ledger", "list")
        assert "over this server's quota" in listed.stdout
        assert "2 results are on disk and not in the ledger" in own.run(study, "status").stdout
        line.heal()
        there = own.run(study)
    assert there.returncode == 0, there.stdout + there.stderr
    assert "2 done, skipped" in there.stdout
    with Ledger(server.uri) as ledger:
        trials = ledger.trials(study.stem)
        assert [(trial.outcome, trial.attempt) for trial in trials] == [("finished", 1)] * 2
        assert all(decode_weights(ledger.weights(trial)) for trial in trials)
    assert not spooled(own)
