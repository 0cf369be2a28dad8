"""An MLflow that is away: training goes on, nothing is lost, and the same command brings all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from desk import LONG, Desk, Stack, environment, free_ports, wait_for

from paribus.tracking.ledger import Ledger
from paribus.tracking.server import ServerProcess, running_server, start_server
from paribus.training.weights import decode_weights

pytestmark = pytest.mark.cluster
Check = Callable[[Desk, Path], None]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A ledger of the test's own, to be taken away."""
    folder = tmp_path / "ledger"
    started = start_server(folder)
    yield started
    if still := running_server(folder):
        still.stop()


@pytest.fixture
def own(stack: Stack, tmp_path: Path) -> Iterator[Desk]:
    """A desk on the session's cluster; the tests say where the ledger is."""
    cluster = {"RAY_ADDRESS": stack.ray, "PARIBUS_CHECKPOINT_S": "0.2"}
    made = Desk(folder=tmp_path / "work", env=environment(stack.checkout, tmp_path / "home", **cluster))
    yield made
    made.end()


def spooled(desk: Desk) -> list[Path]:
    return list((desk.home / "spool").glob("*/*/*/records.jsonl"))


def test_a_ledger_that_is_down_at_the_start_gets_everything_from_the_next_same_command(
    own: Desk, tmp_path: Path
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
    own: Desk, server: ServerProcess, assert_completed: Check
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
    out, err = driver.communicate(timeout=200)
    assert driver.returncode == 0, out + err
    assert "Traceback" not in out + err
    assert_completed(own, study)
    assert [trial.attempt for trial in own.trials(study)] == [1] * 4
    assert [trial.step for trial in own.trials(study)] == [400] * 4
