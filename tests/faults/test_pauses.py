"""Studies that share a cluster, and a paused one whose driver is killed: all are completed, to the bit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sandbox import HANGS_S, LONG, Sandbox, kill, wait_for

from paribus.tracking.ledger import Ledger
from paribus.tracking.studies.record import StudyRecord

pytestmark = pytest.mark.cluster
by_hand = pytest.mark.skipif(not os.environ.get("PARIBUS_LONG_FAULTS"), reason="takes minutes: PARIBUS_LONG_FAULTS=1")
# A pause is heard at the next heartbeat: long enough to be in the middle then.
LONGER = {**LONG, "budget": "1000 steps"}

SEARCH = '''#!/usr/bin/env python
"""Which rate tells textures best apart?"""

from paribus import Float, Search, main

search = Search(
    name={name!r},
    base="synthetic",
    space={{"optimizer.lr": Float(0.01, 1.0, log=True)}},
    metric="log_likelihood",
    trials=4,
    sampler="random",
    scheduler="none",
    confirm=0,
    fixed={{"budget": "1000 steps", "resources.cpus": 1.0}},
)

if __name__ == "__main__":
    main(search)
'''


def record(sandbox: Sandbox, study: Path) -> StudyRecord:
    with Ledger(sandbox.env["MLFLOW_TRACKING_URI"]) as ledger:
        found = ledger.study(study.stem)
    assert found is not None
    return found


def running(sandbox: Sandbox, study: Path) -> int:
    return sum(trial.running for trial in sandbox.trials(study))


def results(sandbox: Sandbox, study: Path) -> dict[str, tuple[str | None, dict[str, float]]]:
    """What each trial came to, without what it took."""
    kept = ("top1", "log_likelihood", "eval_loss", "train_loss")
    trials = sandbox.trials(study)
    assert [trial.status for trial in trials] == ["FINISHED"] * 4
    return {trial.trial_id: (trial.outcome, {key: trial.metrics[key] for key in kept}) for trial in trials}


@by_hand
def test_a_paused_study_whose_driver_dies_leaves_its_places_to_another_and_ends_as_that_does(
    sandbox: Sandbox,
) -> None:
    first, second = sandbox.study(**LONGER), sandbox.study(**LONGER)
    one = sandbox.start(first, PYTHONUNBUFFERED="1")
    wait_for(lambda: sandbox.checkpoints(first), "a checkpoint of the first")
    two = sandbox.start(second, PYTHONUNBUFFERED="1")
    assert sandbox.run("paribus", "pause", first.stem).returncode == 0
    wait_for(lambda: record(sandbox, second).live and not running(sandbox, first), "the first to give way")
    assert sandbox.run("paribus", "studies", "--state", "paused").stdout.count(first.stem) == 1
    kill(one.pid)
    one.wait()
    again = sandbox.start(first)
    out, err = two.communicate(timeout=HANGS_S)
    assert two.returncode == 0, out + err
    reference = results(sandbox, second)
    assert running(sandbox, first) == 0
    assert again.poll() is None
    resumed = sandbox.run("paribus", "resume", first.stem)
    assert "goes on within" in resumed.stdout
    out, err = again.communicate(timeout=HANGS_S)
    assert again.returncode == 0, out + err
    assert "is paused by" in out
    assert results(sandbox, first) == reference
    assert sandbox.num_runs(first) == 5
    assert max(step for trial in sandbox.trials(first) for step in trial.resumed_steps.values()) > 0


@by_hand
def test_a_search_gives_way_and_its_driver_goes_on_with_the_same_trials(sandbox: Sandbox) -> None:
    search = sandbox.write("paused-search", SEARCH.format(name="paused-search"))
    driver = sandbox.start(search, PYTHONUNBUFFERED="1")
    wait_for(lambda: sandbox.checkpoints(search), "a checkpoint")
    assert sandbox.run("paribus", "pause", search.stem).returncode == 0
    wait_for(lambda: not running(sandbox, search), "the search to give way")
    assert sandbox.run("paribus", "resume", search.stem).returncode == 0
    out, err = driver.communicate(timeout=HANGS_S)
    assert driver.returncode == 0, out + err
    assert "is to give way" in out
    trials = sandbox.trials(search)
    assert [trial.status for trial in trials] == ["FINISHED"] * 4
    assert sandbox.num_runs(search) == 5
    assert max(step for trial in trials for step in trial.resumed_steps.values()) > 0
