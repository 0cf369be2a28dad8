"""A study of own parts on two nodes, of which one has never seen their files: killed, resumed to the bit, and stale."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from operator import ne
from pathlib import Path

import psutil
import pytest
import torch
from sandbox import BIN, Sandbox, environment, free_ports, kill, wait_for

from paribus.data import open_feed
from paribus.engine.code_digest import trial_code
from paribus.plugins import stand_beside
from paribus.recipe import Seeds
from paribus.study.own_metrics import own_values
from paribus.study.study_file import load_study
from paribus.tracking.mlflow.server import ServerProcess
from paribus.tracking.trials.record import TrialRecord
from paribus.training import fit

pytestmark = pytest.mark.cluster
# Ray gives a node 30 s to start, which a crowded machine may take.
_TRIES = 5
EXAMPLES = Path(__file__).parents[2] / "studies" / "own"
FILES = ("my_parts.py", "my_net.py", "held.py")
# Parts that import what lies beside them, and are slow while the test holds them, which changes no number: minutes a
# trial, so that it is caught in its middle on any machine.
HELD = """
import time
from pathlib import Path

import my_net
from my_parts import Snake

HOLD = Path({hold!r})


class Held(Snake):
    pause = 0.1

    def forward(self, x):
        if HOLD.exists():
            time.sleep(self.pause)
        return super().forward(x)


class Bent(my_net.TinyNet):
    def __init__(self, config: my_net.Config, in_channels: int, num_classes: int) -> None:
        super().__init__(config, in_channels, num_classes)
        self.bend = Held(in_channels, 3.0)
        self.bend.pause = 0.5

    def forward(self, images):
        return super().forward(self.bend(images))
"""
STUDY = """#!/usr/bin/env python
from paribus import Study, main

study = Study(
    name="two_nodes",
    base="digits",
    design="explicit",
    arms_listed=(
        {"model": "WRN-16-1-digits", "model.activation": "held:Held"},
        {"model": "held:Bent", "model.activation": "relu"},
    ),
    baseline={"model": "WRN-16-1-digits", "model.activation": "held:Held"},
    fixed={"loss": "my_parts:poly_loss", "augment.policy": "my_parts:Grain", "budget": "14 epochs"},
    metric="my_parts:macro_f1",
    replicates=1,
)

if __name__ == "__main__":
    main(study)
"""


@dataclass
class Nodes:
    """Two nodes of one CPU each; the second one joins when it is asked to."""

    checkout: Path
    folder: Path
    gcs: int
    started: list[subprocess.Popen[bytes]]

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """`ray start`, from an empty folder, with nothing of the study on its path."""
        for _ in range(_TRIES):
            node, told = self._try(*words)
            wait_for(lambda: "Ray runtime started" in told.read_text() or node.poll() is not None, "a node of Ray")  # noqa: B023
            if node.poll() is None:
                return node
        raise AssertionError(f"no node in {_TRIES} tries: {told.read_text()[-500:]}")

    def _try(self, *words: str) -> tuple[subprocess.Popen[bytes], Path]:
        empty = self.folder / f"node{len(self.started)}"
        empty.mkdir()
        env = environment(self.checkout, empty / "home", RAY_AUTH_MODE="disabled", OMP_NUM_THREADS="1")
        command = (*(str(BIN / "ray"), "start", "--block", "--disable-usage-stats", "--num-cpus=1"), *words)
        with (empty / "said.txt").open("wb") as said:
            node = subprocess.Popen(command, cwd=empty, env=env, stdout=said, stderr=said, start_new_session=True)
        self.started.append(node)
        return node, empty / "said.txt"

    def end(self) -> None:
        for node in self.started:
            if node.poll() is None:
                for member in [*psutil.Process(node.pid).children(recursive=True), psutil.Process(node.pid)]:
                    kill(member.pid)
                node.wait()


@pytest.fixture
def nodes(checkout: Path) -> Iterator[Nodes]:
    folder = checkout / "two"  # Ray's sockets lie below it: a short path
    folder.mkdir()
    (gcs,) = free_ports(1)
    made = Nodes(checkout, folder, gcs, [])
    objects = "--object-store-memory=100000000"
    try:
        made.start("--head", f"--port={gcs}", "--include-dashboard=false", f"--temp-dir={folder}/a", objects)
        yield made
    finally:
        made.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def desk(nodes: Nodes, shelf_server: ServerProcess, tmp_path: Path) -> Iterator[Sandbox]:
    more = {
        "RAY_ADDRESS": f"127.0.0.1:{nodes.gcs}",
        "MLFLOW_TRACKING_URI": shelf_server.uri,
        "PARIBUS_CHECKPOINT_S": "0.2",
    }
    made = Sandbox(folder=tmp_path / "work", env=environment(nodes.checkout, tmp_path / "home", **more))
    yield made
    made.end()


def test_own_parts_train_on_a_node_without_their_files_resume_to_the_bit_and_go_stale_by_a_constant_alone(
    desk: Sandbox, nodes: Nodes
) -> None:
    study, hold = desk.write("two_nodes", STUDY), desk.folder.parent / "hold"
    _put(desk.folder, hold)
    hold.touch()
    driver = desk.start(study)
    wait_for(lambda: desk.checkpoints(study), "a checkpoint on the first node")
    for name in FILES:  # what the second node never sees: they are gone before it is there
        (desk.folder / name).unlink()
    shutil.rmtree(desk.folder / "__pycache__", ignore_errors=True)
    second = nodes.start(f"--address=127.0.0.1:{nodes.gcs}", "--object-store-memory=100000000")
    wait_for(lambda: len(_pids(desk, study)) == 2, "both trials in the ledger")
    on_second = [second.pid in {each.pid for each in psutil.Process(pid).parents()} for pid in _pids(desk, study)]
    assert sorted(on_second) == [False, True]
    wait_for(lambda: len({path.parent for path in desk.checkpoints(study)}) == 2, "a checkpoint on each node")
    assert not any((desk.folder / name).exists() for name in FILES)
    kill(driver.pid)
    driver.wait()
    hold.unlink()

    _put(desk.folder, hold)
    again = desk.run(study)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 to resume" in again.stdout
    assert "judged on my_parts:macro_f1, margin 0.5 points" in again.stdout
    trials = desk.trials(study)
    assert all(max(trial.resumed_steps.values()) > 0 for trial in trials)
    for trial in trials:
        assert (trial.metrics, trial.weights) == _alone(desk, study, trial)
    assert json.loads(desk.run(study, "report", "--json").stdout)["verdicts"]

    for name in FILES:
        (desk.folder / name).write_text(f'"""Other words."""\n# a comment\n{(desk.folder / name).read_text()}')
    assert _actions(desk, study) == {"skip": 2}
    before = _codes(desk, study)
    for old, new, num_stale in (
        ("epsilon * (1 -", "epsilon * (2 -", 2),  # of the loss
        ("return 100 * float(np.mean", "return 99 * float(np.mean", 2),  # of the metric
        ("self.sd * torch.randn", "2 * self.sd * torch.randn", 2),  # of the augmentation
        ("return x + torch.sin", "return x + 2 * torch.sin", 2),  # of the activation, in both arms
        ("self.bend = Held(in_channels, 3.0)", "self.bend = Held(in_channels, 4.0)", 1),  # of the family
    ):
        file = next(path for path in map(desk.folder.joinpath, FILES) if old in path.read_text())
        text = file.read_text()
        file.write_text(text.replace(old, new))
        assert sum(map(ne, _codes(desk, study), before)) == num_stale, new
        if num_stale == 1:
            assert _actions(desk, study) == {"skip": 1, "stale": 1}
        file.write_text(text)


def _codes(desk: Sandbox, study: Path) -> list[str]:
    stand_beside(desk.folder)
    try:
        made = load_study(str(study))
        return [trial_code(made.recipe_of(arm)) for arm in made.arms]
    finally:
        stand_beside()


def _put(folder: Path, hold: Path) -> None:
    for name in FILES[:2]:
        shutil.copyfile(EXAMPLES / name, folder / name)
    (folder / FILES[2]).write_text(HELD.format(hold=str(hold)))


def _pids(desk: Sandbox, study: Path) -> list[int]:
    """The processes that train the trials, or did, as the ledger tells them."""
    return [facts.pid for trial in desk.trials(study) for facts in trial.attempts.values()]


def _actions(desk: Sandbox, study: Path) -> dict[str, int]:
    said = desk.run(study, "plan", "--json")
    assert said.returncode == 0, said.stderr
    return dict(Counter(trial["action"] for trial in json.loads(said.stdout)["trials"]))


def _alone(desk: Sandbox, study: Path, trial: TrialRecord) -> tuple[dict[str, float], str]:
    """What the trial's metrics and the digest of its weights are where nothing interrupts it and no Ray runs."""
    stand_beside(desk.folder)
    try:
        made = load_study(str(study))
        torch.set_num_threads(1)
        recipe = made.recipe_of(next(arm for arm in made.arms if arm == trial.arm))
        result = fit(recipe, Seeds.draw(made.seed, trial.replicate), open_feed(recipe, desk.home))
        assert result.examples is not None
        assert result.weights is not None
        found = {**result.metrics, **own_values(recipe.metrics, result.examples)}
    finally:
        stand_beside()
    timed = {name: value for name, value in trial.metrics.items() if name not in found}
    assert set(timed) <= {
        "total_s",
        "train_s",
        "eval_s",
        "data_wait_s",
        "peak_memory_mib",
        "gpu_s",
        "num_params",
        "flops",
    }
    return {**timed, **{name: found[name] for name in trial.metrics if name in found}}, sha256(
        result.weights
    ).hexdigest()
