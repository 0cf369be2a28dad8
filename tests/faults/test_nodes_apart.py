"""Machines with a home each: one is lost, MLflow is away, one has no data; with a shared storage, and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from nodes import CPUS, Lab, Machine
from sandbox import LONG, Sandbox, Stack, free_ports, wait_for

from paribus.data import open_feed
from paribus.recipe import Seeds
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.study.study_file import load_study
from paribus.tracking.outbox.outbox import outboxes
from paribus.tracking.trials.record import TrialRecord
from paribus.training import fit

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@pytest.fixture
def lab(stack: Stack, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(stack, tmp_path / "lab")
    yield made
    made.end()


def test_a_trial_of_a_lost_machine_goes_on_where_storage_is_shared_and_begins_again_where_it_is_not(lab: Lab) -> None:
    a, b = lab.machine("node-a"), lab.machine("node-b")
    sandbox = lab.sandbox
    study = sandbox.study(replicates=1, resources__cpus=CPUS, **LONG)
    shared = {"PARIBUS_STORAGE": str(lab.shared), "PYTHONUNBUFFERED": "1"}
    planned = sandbox.run(study, "plan", PARIBUS_STORAGE="s3://bucket/x")
    assert planned.returncode == 1
    assert "PARIBUS_STORAGE=s3://bucket/x: it has to be a folder that every node has" in planned.stderr

    out = _lose(lab, study, a, lab.shared, **shared)
    assert "do not have" not in out
    assert "its worker was lost; it goes on from its last checkpoint" in out
    trial = _again(sandbox, study)
    assert trial.resumed_steps[2] > 0
    assert f"attempt 2 goes on from step {trial.resumed_steps[2]} on node-b" in out
    assert sandbox.num_runs(study) == 3
    assert outboxes(lab.shared / "spool") == []
    assert not (a.home / "spool").exists()
    assert trial.metrics["log_likelihood"] == _alone(sandbox, study, trial)

    a = lab.machine("node-c")
    apart = sandbox.study(replicates=1, resources__cpus=CPUS, **LONG)
    out = _lose(lab, apart, a, a.home, PYTHONUNBUFFERED="1")
    assert f"note: node-b, node-c do not have {sandbox.home}: checkpoints stay on each of them" in out
    assert "its worker was lost; it begins again, from step 0 on another node" in out
    trial = _again(sandbox, apart)
    assert trial.resumed_steps[2] == 0
    assert "attempt 2 begins again from step 0 on node-b" in out
    assert sandbox.num_runs(apart) == 3

    # MLflow is away for all of a study: what the machines record comes to the driver, and is sent by the next command.
    away = sandbox.study(replicates=2, resources__cpus=CPUS)
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    done = sandbox.run(away, MLFLOW_TRACKING_URI=dead, PARIBUS_DRAIN_S="1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(outboxes(sandbox.home / "spool")) == 4
    assert outboxes(b.home / "spool") == []
    sent = sandbox.run(away)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert "4 done, skipped" in sent.stdout
    assert [trial.outcome for trial in sandbox.trials(away)] == ["finished"] * 4
    assert sandbox.num_runs(away) == 5


def test_a_machine_without_the_shards_is_named_and_put_aside_and_every_trial_ends(lab: Lab) -> None:
    data = lab.folder / "data"
    make_shards(synthetic(), data / "set")
    lab.machine("has-data")
    lab.machine("lacks-data", data)
    sandbox = lab.sandbox
    study = sandbox.study(replicates=3, resources__cpus=CPUS, data__shards=str(data / "set"))
    done = sandbox.run(study, PYTHONUNBUFFERED="1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "node lacks-data is put aside: " in done.stdout
    assert str(data / "set") in done.stdout
    trials = sandbox.trials(study)
    assert [(trial.outcome, trial.attempt, trial.node) for trial in trials] == [("finished", 1, "has-data")] * 6
    said = sandbox.run(study, "status")
    assert "note: node lacks-data was put aside, and its trials ran elsewhere: " in said.stdout


def _lose(lab: Lab, study: Path, lost: Machine, storage: Path, **env: str) -> str:
    """Run a study of two trials and lose a machine in the middle of its own; what the command printed."""
    driver = lab.sandbox.start(study, **env)
    folder = storage / "checkpoints" / study.stem

    def on_lost() -> list[int]:
        running = [facts for trial in lab.sandbox.trials(study) for facts in trial.attempts.values()]
        return [facts.pid for facts in running if facts.host == lost.name]

    wait_for(lambda: driver.poll() is not None or (list(folder.glob("*/step-*.pt")) and on_lost()), "a checkpoint")
    assert driver.poll() is None, driver.communicate()
    _wait_for_its_own(lab, study, lost, folder)
    lost.crash()
    out, err = driver.communicate(timeout=280)
    assert driver.returncode == 0, out + err
    return out + err


def _wait_for_its_own(lab: Lab, study: Path, lost: Machine, folder: Path) -> None:
    (trial,) = (t for t in lab.sandbox.trials(study) if any(f.host == lost.name for f in t.attempts.values()))
    wait_for(lambda: list(folder.glob(f"{trial.trial_id}-*/step-*.pt")), "a checkpoint of its own")


def _again(sandbox: Sandbox, study: Path) -> TrialRecord:
    """The trial that was tried again."""
    trials = sandbox.trials(study)
    assert [trial.outcome for trial in trials] == ["finished"] * 2
    (trial,) = (trial for trial in trials if trial.attempt > 1)
    assert sorted(trial.attempts) == [1, 2]
    return trial


def _alone(sandbox: Sandbox, study: Path, trial: TrialRecord) -> float:
    """The trial's log-likelihood where nothing interrupts it and no Ray runs."""
    made = load_study(str(study))
    recipe = made.recipe_of(trial.arm)
    torch.set_num_threads(int(recipe.resources.cpus))
    return fit(recipe, Seeds.draw(made.seed, trial.replicate), open_feed(recipe, sandbox.home)).metrics[
        "log_likelihood"
    ]
