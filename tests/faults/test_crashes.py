"""Trials that kill their own process, by real signals in real workers: twice at one place is enough."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from sandbox import LEARNS, Sandbox, Stack

from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster
STUDY = '''#!/usr/bin/env python
"""Which widths kill their process?"""

from paribus import Study, main

study = Study(
    name="crashes",
    base="synthetic",
    factors={{"model.width": (0.25, 0.5, 0.75, 1.0)}},
    margin=4.0,
    replicates=1,
    fixed={fixed!r},
)

if __name__ == "__main__":
    main(study)
'''
# A library of the user's that is broken: the net of width 0.5 dies of SIGSEGV before its first step is done, that of
# 0.75 of SIGABRT beyond its checkpoints, and that of 1.0 once. Python loads it into every process of the job.
BROKEN = """
import ctypes, os, sys
from importlib.machinery import PathFinder


class Broken:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "paribus.training.train_state":
            return None
        spec = PathFinder.find_spec(name, path, target)
        load = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (load(module), break_in(module.TrainState))
        return spec


def break_in(train_state):
    begin, train = train_state.__init__, train_state.step

    def init(self, recipe, *more):
        begin(self, recipe, *more)
        self.width = recipe.model.width

    def step(self, images, labels, number, *more):
        if self.width == 0.5:
            ctypes.string_at(0)
        if self.width == 0.75 and number == 20:
            os.abort()
        if self.width == 1.0 and number == 1 and not os.path.exists({once!r}):
            open({once!r}, "w").close()
            ctypes.string_at(0)
        return train(self, images, labels, number, *more)

    train_state.__init__, train_state.step = init, step


sys.meta_path.insert(0, Broken)
"""


def submitted(sandbox: Sandbox, stack: Stack, study: Path) -> tuple[int, str]:
    """Run the study as a job whose processes have the broken library; its exit code, and what it printed."""
    library = sandbox.folder / "library"
    library.mkdir()
    (library / "sitecustomize.py").write_text(BROKEN.format(once=str(sandbox.folder / "once")))
    variables = {
        "PYTHONPATH": os.pathsep.join([str(library), sandbox.env["PYTHONPATH"]]),
        "PARIBUS_HOME": str(sandbox.home),
        "PARIBUS_CHECKPOINT_S": "0.001",
    }
    address = {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{stack.ports['PARIBUS_RAY_PORT']}"}
    words = ("ray", "job", "submit", "--runtime-env-json", json.dumps({"env_vars": variables}), "--", study)
    done = sandbox.run(*words, timeout_s=280.0, **address)
    return done.returncode, done.stdout + done.stderr


def test_a_trial_that_kills_its_process_twice_at_one_place_is_failed_by_its_signal(
    sandbox: Sandbox, stack: Stack
) -> None:
    study = sandbox.write("crashes", STUDY.format(fixed=LEARNS))
    code, said = submitted(sandbox, stack, study)
    assert code == 1, said
    assert "2 trials failed" in said
    trials = {trial.arm.as_dict()["model.width"]: trial for trial in sandbox.trials(study)}
    outcomes = {width: trial.outcome for width, trial in trials.items()}
    assert outcomes == {0.25: "finished", 0.5: "failed", 0.75: "failed", 1.0: "finished"}, said
    status = sandbox.run(study, "status").stdout
    for width, signal, where in (
        (0.5, "SIGSEGV", "before its first step was done"),
        (0.75, "SIGABRT", "after step 20"),
    ):
        trial = trials[width]
        # Two that train, and one that reads of what they died.
        assert (trial.attempt, trial.failure) == (3, "code")
        text = f"this trial kills its process ({signal}) {where}, twice; its log: "
        assert trial.reason.startswith(text)
        log = Path(trial.reason.removeprefix(text))
        assert f'File "{sandbox.folder}/library/sitecustomize.py", line' in log.read_text()
        assert trial.reason in said
        assert trial.reason in status
        with Ledger(sandbox.env["MLFLOW_TRACKING_URI"]) as ledger:
            assert ledger.artifact(trial.run_id, "crash-2.txt") == log.read_bytes()
    assert trials[1.0].failure is None
    assert re.search(r"warning: attempt 1 killed its process \(SIGSEGV\) .*, and the next one went on", said)
    assert not list((sandbox.home / "checkpoints" / "crashes").glob(f"{trials[1.0].trial_id}-*"))
