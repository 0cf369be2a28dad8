"""A study of own parts on two nodes, of which one has never seen their files: killed, resumed to the bit, and stale."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from operator import ne
from pathlib import Path

import psutil
import pytest
import torch
from sandbox import BIN, Sandbox, Stack, environment, kill, wait_for

from paribus.data import open_feed
from paribus.engine.code_digest import trial_code
from paribus.plugins import stand_beside
from paribus.recipe import Seeds
from paribus.study.own_metrics import own_values
from paribus.study.study_file import load_study
from paribus.tracking.trials.record import TrialRecord
from paribus.training import fit

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
# Ray itself gives a node 30 s to start, which a crowded machine may take.
_TRIES = 5
EXAMPLES = Path(__file__).parents[2] / "studies" / "own"
FILES = ("my_parts.py", "my_net.py", "held.py")
# What is no number of the net's.
TIMED = {"total_s", "train_s", "eval_s", "data_wait_s", "peak_memory_mib", "gpu_s", "num_params", "flops"}
# Parts that import what lies beside them, and stand still in a trial's middle while the test holds them, which changes
# no number.
HELD = """
import time
from pathlib import Path

import my_net
from my_parts import Snake

HOLD = Path({hold!r})


class Held(Snake):
    calls = 0

    def forward(self, x):
        self.calls += 1
        if HOLD.exists():
            time.sleep(0.1)
        while self.calls > 8 and HOLD.exists():
            time.sleep(0.1)
        return super().forward(x)


class Bent(my_net.TinyNet):
    def __init__(self, config: my_net.Config, in_channels: int, num_classes: int) -> None:
        super().__init__(config, in_channels, num_classes)
        self.bend = Held(in_channels, 3.0)

    def forward(self, images):
        return super().forward(self.bend(images))
"""
# The stack's node has two CPUs, and so has the second: each has room for one trial, which computes in one thread.
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
    fixed={
        "loss": "my_parts:poly_loss",
        "augment.policy": "my_parts:Grain",
        "budget": "3 epochs",
        "resources.cpus": 1.5,
    },
    metric="my_parts:macro_f1",
    replicates=1,
)

if __name__ == "__main__":
    main(study)
"""


@dataclass
class SecondNode:
    """One that joins the stack's cluster when it is asked to, with folders of its own and nothing of a study's."""

    stack: Stack
    folder: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def join(self) -> subprocess.Popen[bytes]:
        for _ in range(_TRIES):
            node, told = self._try()
            wait_for(lambda: "Ray runtime started" in told.read_text() or node.poll() is not None, "a node of Ray")  # noqa: B023
            if node.poll() is None:
                return node
        raise AssertionError(f"no node in {_TRIES} tries: {told.read_text()[-500:]}")

    def _try(self) -> tuple[subprocess.Popen[bytes], Path]:
        empty = self.folder / str(len(self.started))
        empty.mkdir(parents=True)
        env = environment(self.stack.checkout, empty / "home", RAY_AUTH_MODE="token")
        command = (
            *(str(BIN / "ray"), "start", "--block", f"--address={self.stack.ray}", "--disable-usage-stats"),
            *("--num-cpus=2", "--object-store-memory=100000000", f"--temp-dir={empty}/r"),
        )
        with (empty / "said.txt").open("wb") as said:
            node = subprocess.Popen(command, cwd=empty, env=env, stdout=said, stderr=said, start_new_session=True)
        self.started.append(node)
        return node, empty / "said.txt"

    def leave(self) -> None:
        """It says good-bye, so that no later test's trial is sent there."""
        for node in self.started:
            if node.poll() is None:
                family = psutil.Process(node.pid).children(recursive=True)
                node.send_signal(signal.SIGTERM)
                node.wait(60)
                for member in family:
                    kill(member.pid)


@pytest.fixture
def stack(open_stack: Stack) -> Stack:
    return open_stack


@pytest.fixture
def second(stack: Stack) -> Iterator[SecondNode]:
    made = SecondNode(stack, stack.checkout / "n")  # Ray's sockets lie below it: a short path
    yield made
    made.leave()
    shutil.rmtree(made.folder, ignore_errors=True)


def test_own_parts_train_on_a_node_without_their_files_resume_to_the_bit_and_go_stale_by_a_constant_alone(
    sandbox: Sandbox, second: SecondNode
) -> None:
    study, hold = sandbox.write("two_nodes", STUDY), sandbox.folder.parent / "hold"
    _put(sandbox.folder, hold)
    hold.touch()
    driver = sandbox.start(study)
    _wait(driver, lambda: sandbox.checkpoints(study), "a checkpoint on the first node")
    for name in FILES:  # what the second node never sees: they are gone before it is there
        (sandbox.folder / name).unlink()
    shutil.rmtree(sandbox.folder / "__pycache__", ignore_errors=True)
    node = second.join()
    _wait(driver, lambda: len({path.parent for path in sandbox.checkpoints(study)}) == 2, "a checkpoint on each node")
    _wait(driver, lambda: len(_pids(sandbox, study)) == 2, "both in the ledger")
    on_second = [node.pid in {each.pid for each in psutil.Process(pid).parents()} for pid in _pids(sandbox, study)]
    assert sorted(on_second) == [False, True]
    assert not any((sandbox.folder / name).exists() for name in FILES)
    kill(driver.pid)
    driver.wait()
    hold.unlink()

    _put(sandbox.folder, hold)
    again = sandbox.run(study)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "2 to resume" in again.stdout
    assert "judged on my_parts:macro_f1, margin 0.5 points" in again.stdout
    trials = sandbox.trials(study)
    assert all(max(trial.resumed_steps.values()) > 0 for trial in trials)
    for trial in trials:
        metrics, weights = _alone(sandbox, study, trial)
        assert trial.weights == weights, trial.arm_name
        assert trial.metrics == metrics, trial.arm_name

    for name in FILES:
        (sandbox.folder / name).write_text(f'"""Other words."""\n# a comment\n{(sandbox.folder / name).read_text()}')
    assert _actions(sandbox, study) == {"skip": 2}
    before = _codes(sandbox, study)
    for old, new, num_stale in (
        ("epsilon * (1 -", "epsilon * (2 -", 2),  # of the loss
        ("return 100 * float(np.mean", "return 99 * float(np.mean", 2),  # of the metric
        ("self.sd * torch.randn", "2 * self.sd * torch.randn", 2),  # of the augmentation
        ("return x + torch.sin", "return x + 2 * torch.sin", 2),  # of the activation, in both arms
        ("self.bend = Held(in_channels, 3.0)", "self.bend = Held(in_channels, 4.0)", 1),  # of the family
    ):
        file = next(path for path in map(sandbox.folder.joinpath, FILES) if old in path.read_text())
        text = file.read_text()
        file.write_text(text.replace(old, new))
        assert sum(map(ne, _codes(sandbox, study), before)) == num_stale, new
        if num_stale == 1:
            assert _actions(sandbox, study) == {"skip": 1, "stale": 1}
        file.write_text(text)


def _wait(driver: subprocess.Popen[str], condition: Callable[[], object], what: str) -> None:
    """Until `condition` is true; what the driver said, where it ends before."""
    wait_for(lambda: condition() or driver.poll() is not None, what)
    assert driver.poll() is None, driver.communicate()


def _codes(sandbox: Sandbox, study: Path) -> list[str]:
    stand_beside(sandbox.folder)
    try:
        made = load_study(str(study))
        return [trial_code(made.recipe_of(arm)) for arm in made.arms]
    finally:
        stand_beside()


def _put(folder: Path, hold: Path) -> None:
    for name in FILES[:2]:
        shutil.copyfile(EXAMPLES / name, folder / name)
    (folder / FILES[2]).write_text(HELD.format(hold=str(hold)))


def _pids(sandbox: Sandbox, study: Path) -> list[int]:
    """The processes that train the trials, or did, as the ledger tells them."""
    return [facts.pid for trial in sandbox.trials(study) for facts in trial.attempts.values()]


def _actions(sandbox: Sandbox, study: Path) -> dict[str, int]:
    said = sandbox.run(study, "plan", "--json")
    assert said.returncode == 0, said.stderr
    return dict(Counter(trial["action"] for trial in json.loads(said.stdout)["trials"]))


def _alone(sandbox: Sandbox, study: Path, trial: TrialRecord) -> tuple[dict[str, float], str]:
    """What the trial's metrics and the digest of its weights are where nothing interrupts it and no Ray runs."""
    stand_beside(sandbox.folder)
    try:
        made = load_study(str(study))
        recipe = made.recipe_of(next(arm for arm in made.arms if arm == trial.arm))
        torch.set_num_threads(int(recipe.resources.cpus))
        result = fit(recipe, Seeds.draw(made.seed, trial.replicate), open_feed(recipe, sandbox.home))
        assert result.examples is not None
        assert result.weights is not None
        found = {**result.metrics, **own_values(recipe.metrics, result.examples)}
    finally:
        stand_beside()
    timed = {name: value for name, value in trial.metrics.items() if name not in found}
    assert set(timed) <= TIMED
    own = {name: found[name] for name in trial.metrics if name in found}
    return {**timed, **own}, sha256(result.weights).hexdigest()
