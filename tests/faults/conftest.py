"""One undisturbed run of the study that the faults disturb, and what must be equal to it bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from sandbox import LONG, PORTS, Sandbox, Stack, environment, free_ports, network_address

from paribus.tracking.ledger import Ledger

Numbers = dict[str, tuple[dict[str, float], np.ndarray, np.ndarray]]
FINAL = ("top1", "top5", "log_likelihood", "eval_loss", "train_loss")


def numbers_of(sandbox: Sandbox, study: Path) -> Numbers:
    """Each trial's final metrics, per-example results and loss at every step."""
    with Ledger(sandbox.env["MLFLOW_TRACKING_URI"]) as ledger:
        return {
            trial.trial_id: (
                {key: trial.metrics[key] for key in FINAL},
                ledger.examples(trial.run_id).log_likelihood,
                ledger.curves(trial.run_id)["loss"],
            )
            for trial in ledger.trials(study.stem)
        }


@pytest.fixture(scope="session")
def open_stack(checkout: Path) -> Iterator[Stack]:
    """One that other machines may join, if they show its token, and whose figures Prometheus may read.

    The session's keeps to loopback and shows none.
    """
    if not (host := network_address()):
        pytest.skip("this machine has no address but loopback")
    ports = dict(zip((*PORTS, "PARIBUS_DASHBOARD_PORT"), map(str, free_ports(5)), strict=True))
    started = Stack(checkout=checkout, home=checkout / "open", ports=ports, host=host, metrics=True)
    try:
        started.up()
        yield started
    finally:
        started.down()


@pytest.fixture(scope="session")
def undisturbed(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Numbers]:
    folder = tmp_path_factory.mktemp("undisturbed")
    cluster = {"RAY_ADDRESS": stack.ray, "MLFLOW_TRACKING_URI": stack.uri}
    sandbox = Sandbox(folder=folder, env=environment(stack.checkout, folder / "home", **cluster))
    try:
        study = sandbox.study(**LONG)
        done = sandbox.run(study)
        assert done.returncode == 0, done.stderr
        yield numbers_of(sandbox, study)
    finally:
        sandbox.end()


@pytest.fixture
def assert_completed(undisturbed: Numbers) -> Callable[[Sandbox, Path], None]:
    """Every trial has one run, that ended, with the numbers of a run that nothing disturbed."""

    def check(sandbox: Sandbox, study: Path) -> None:
        trials = sandbox.trials(study)
        assert [trial.status for trial in trials] == ["FINISHED"] * 4
        with Ledger(sandbox.env["MLFLOW_TRACKING_URI"]) as ledger:
            parent = ledger.study(study.stem)
        assert parent is not None
        assert (parent.status, parent.live, sum(parent.counts.values())) == ("FINISHED", False, 4)
        assert sandbox.num_runs(study) == len(undisturbed) + 1, "one run per trial, and the study's own"
        for trial_id, (final, log_likelihood, loss) in numbers_of(sandbox, study).items():
            expected = undisturbed[trial_id]
            assert final == expected[0]
            assert np.array_equal(log_likelihood, expected[1])
            assert np.array_equal(loss, expected[2])
        assert not sandbox.checkpoints(study)

    return check
