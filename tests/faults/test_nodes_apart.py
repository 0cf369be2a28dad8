"""Machines with a home each: one is lost, MLflow is away, one has no data; with a shared storage, and without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from nodes import CPUS, Lab, Machine
from sandbox import HANGS_S, LONG, Stack, free_ports, wait_for

from paribus.data import open_feed
from paribus.recipe import Seeds
from paribus.shards.making.shards import make_shards
from paribus.shards.sources.synthetic.builtin import synthetic
from paribus.study.study_file import load_study
from paribus.tracking.trials.record import TrialRecord
from paribus.training import fit

# Each starts machines and whole studies: too long for every change.
by_hand = pytest.mark.skipif(not os.environ.get("PARIBUS_LONG_FAULTS"), reason="takes minutes: PARIBUS_LONG_FAULTS=1")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), by_hand]


@pytest.fixture(scope="module")
def lab(open_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(open_stack, tmp_path_factory.mktemp("lab"))
    make_shards(synthetic(), made.data / "set")
    yield made
    made.end()


def test_a_machine_with_something_amiss_is_named_and_put_aside_and_its_trials_run_elsewhere(lab: Lab) -> None:
    """First it has not all shards, which is seen before a trial is sent; then it cannot open them."""
    lab.machine("good")
    bad = lab.machine("bad")
    shard = next((bad.data / "set").glob("**/*train*.tar"))
    whole = shard.read_bytes()
    shard.unlink()
    study = lab.sandbox.study(replicates=2, resources__cpus=CPUS, data__shards=str(lab.data / "set"))
    done = lab.sandbox.run(study)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"node bad is put aside: shard {shard.name} of " in done.stdout
    trials = lab.sandbox.trials(study)
    assert [(trial.outcome, trial.attempt, trial.node) for trial in trials] == [("finished", 1, "good")] * 4
    said = lab.sandbox.run(study, "status")
    assert "note: node bad was put aside, and its trials ran elsewhere: shard " in said.stdout

    shard.write_bytes(whole)
    (bad.data / "set" / "train.index.npy").write_bytes(b"torn")
    study = lab.sandbox.study(replicates=2, resources__cpus=CPUS, data__shards=str(lab.data / "set"))
    done = lab.sandbox.run(study)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("node bad is put aside: ") == 1
    trials = lab.sandbox.trials(study)
    assert [(trial.outcome, trial.node) for trial in trials] == [("finished", "good")] * 4
    assert lab.sandbox.num_runs(study) == 5


def test_a_trial_of_a_lost_machine_goes_on_elsewhere_from_the_storage_that_all_share(lab: Lab) -> None:
    lab.machine("good")
    study = lab.sandbox.study(replicates=1, **LONG | {"resources.cpus": CPUS})
    out = _lose(lab, study, lab.machine("bad"), PARIBUS_STORAGE=str(lab.shared))
    assert "do not have" not in out
    trial = _again(lab, study)
    assert trial.resumed_steps[2] > 0
    assert f"attempt 2 goes on from step {trial.resumed_steps[2]} on good" in out
    for place in (lab.shared, lab.sandbox.home, *(each.home for each in lab.machines.values())):
        assert _waiting(place) == []
        assert place == lab.shared or not (place / "checkpoints" / study.stem).exists()
    assert trial.metrics["log_likelihood"] == _alone(lab, study, trial)


def test_without_a_shared_storage_it_begins_again_and_what_mlflow_misses_comes_to_the_driver(lab: Lab) -> None:
    good, lost = lab.machine("good"), lab.machine("lost")
    study = lab.sandbox.study(replicates=1, **LONG | {"resources.cpus": CPUS})
    dead = f"http://127.0.0.1:{free_ports(1)[0]}"
    out = _lose(lab, study, lost, MLFLOW_TRACKING_URI=dead, PARIBUS_DRAIN_S="1")
    assert f"note: good, lost do not have {lab.sandbox.home}: checkpoints stay on each of them" in out
    assert "attempt 2 begins again from step 0 on good" in out
    assert "checkpoint;" not in out
    assert len(_waiting(lab.sandbox.home)) == 2
    assert _waiting(good.home) == []
    planned = lab.sandbox.run(study, "plan", RAY_ADDRESS="", PARIBUS_HOME=str(lab.stack.home))
    assert "PARIBUS_STORAGE names no folder that all of them have" in planned.stderr
    sent = lab.sandbox.run(study)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert "2 done, skipped" in sent.stdout
    assert _again(lab, study).resumed_steps[2] == 0


def _lose(lab: Lab, study: Path, lost: Machine, **env: str) -> str:
    """Run a study of two trials and lose a machine in the middle of its own; what the command printed."""
    storage = Path(env.get("PARIBUS_STORAGE", lost.home))
    driver = lab.sandbox.start(study, **env)

    def found() -> bool:
        held = {path.parent for path in (storage / "checkpoints" / study.stem).glob("*/step-*.pt")}
        return len(held) == (2 if storage == lab.shared else 1)

    wait_for(lambda: driver.poll() is not None or found(), "a checkpoint of each trial")
    assert driver.poll() is None, driver.communicate()
    lost.crash()
    out, err = driver.communicate(timeout=HANGS_S)
    assert driver.returncode == (1 if "MLFLOW_TRACKING_URI" in env else 0), out + err
    assert "its worker was lost; it is taken up again" in out
    return out + err


def _again(lab: Lab, study: Path) -> TrialRecord:
    """The trial that was tried again; all of the two ended, with one run each."""
    trials = lab.sandbox.trials(study)
    assert [trial.outcome for trial in trials] == ["finished"] * 2
    assert lab.sandbox.num_runs(study) == 3
    (trial,) = (trial for trial in trials if trial.attempt > 1)
    return trial


def _waiting(place: Path) -> list[Path]:
    """The records on this disk that the ledger does not have."""
    return list(place.glob("spool/**/records.jsonl"))


def _alone(lab: Lab, study: Path, trial: TrialRecord) -> float:
    """The trial's log-likelihood where nothing interrupts it and no Ray runs."""
    made = load_study(str(study))
    recipe = made.recipe_of(trial.arm)
    torch.set_num_threads(int(recipe.resources.cpus))
    feed = open_feed(recipe, lab.sandbox.home)
    return fit(recipe, Seeds.draw(made.seed, trial.replicate), feed).metrics["log_likelihood"]
