"""Trials on two ranks in a real study: the same trials as on one, whichever process is killed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from sandbox import HANGS_S, LEARNS, Sandbox, kill, wait_for, words_of

from paribus.data import open_feed
from paribus.recipe import Recipe, Seeds, preset, trial_id
from paribus.tracking.ledger import Ledger
from paribus.training import fit

pytestmark = pytest.mark.cluster
# 15 epochs of 8 steps.
CHANGES = {"budget": "120 steps", "data.batch_size": 8, "evaluation.every_epochs": 15}


def worker(sandbox: Sandbox, study: Path, attempt: int) -> psutil.Process:
    """The process that trains the running trial now, which is at its `attempt`-th."""

    def pids() -> list[int]:
        running = [trial for trial in sandbox.trials(study) if trial.running and trial.attempt == attempt]
        return [int(str(trial.attempts[attempt].pid)) for trial in running if attempt in trial.attempts]

    wait_for(pids, f"attempt {attempt}")
    return psutil.Process(pids()[0])


def second_rank(of: psutil.Process) -> psutil.Process:
    """The process that trains beside that worker."""

    def found() -> list[psutil.Process]:
        return [child for child in of.children() if "paribus.training.ranks.rank" in words_of(child)]

    wait_for(found, "a second rank")
    return found()[0]


def test_a_trial_on_two_ranks_outlives_either_and_is_the_trial_on_one(sandbox: Sandbox, tmp_path: Path) -> None:
    study = sandbox.study(replicates=1, **CHANGES, **{"resources.cpus": 2, "resources.ranks": 2})
    driver = sandbox.start(study, PARIBUS_CHECKPOINT_S="0.05")
    wait_for(lambda: sandbox.checkpoints(study), "a checkpoint")
    kill(second_rank(worker(sandbox, study, attempt=1)).pid)

    again = worker(sandbox, study, attempt=2)
    rank = second_rank(again)
    kill(again.pid)
    wait_for(lambda: not rank.is_running() or rank.status() == psutil.STATUS_ZOMBIE, "the end of an orphan")

    out, err = driver.communicate(timeout=HANGS_S)
    assert driver.returncode == 0, out + err
    assert out.count("its worker was lost; it is taken up again") == 2
    assert "Traceback" not in out + err
    trials = sandbox.trials(study)
    assert sorted(trial.attempt for trial in trials) == [1, 3]
    assert max(step for trial in trials for step in trial.resumed_steps.values()) > 0
    for trial in trials:
        assert trial.outcome == "finished"
        hashes = assert_as_on_one(sandbox, tmp_path, trial.trial_id, trial.run_id)
        assert trial.stream_hashes == tuple(each[:12] for each in hashes)


def assert_as_on_one(sandbox: Sandbox, tmp_path: Path, identity: str, run_id: str) -> tuple[str, ...]:
    """The trial of that name, trained here by one process, begins as the ledger says; its stream hashes."""
    torch.set_num_threads(1)
    seeds = Seeds.draw(0, 1)
    base = preset("synthetic").replace(LEARNS | CHANGES)
    arms: dict[str, Recipe] = {}
    for width in (0.25, 0.5):
        recipe = base.replace({"model.width": width})
        arms[trial_id(recipe, seeds, open_feed(recipe, tmp_path).digest)] = recipe
    alone = fit(arms[identity], seeds, open_feed(arms[identity], tmp_path))
    with Ledger(sandbox.env["MLFLOW_TRACKING_URI"]) as ledger:
        loss = ledger.curves(run_id)["loss"]
    # Later steps of so narrow a net differ as much between one thread and two.
    np.testing.assert_allclose(loss[:4], alone.curves["loss"][:4], rtol=1e-5)
    assert len(loss) == alone.num_steps
    return alone.stream_hashes
