"""`paribus submit` and `paribus run` on the stack that is up, and `paribus logs` of what they trained."""

from __future__ import annotations

import json

import pytest
from sandbox import LEARNS, Sandbox, Stack

pytestmark = pytest.mark.cluster

PARTS = """import sys

from torch import nn


class Say(nn.Module):
    def __init__(self, bad: float = 0.0):
        super().__init__()
        print("a part of mine was made")
        if bad and "default_worker" in sys.argv[0]:
            raise RuntimeError("broken on purpose")

    def forward(self, x):
        return x.relu()
"""
STUDY = f'''"""Does it say anything?"""

from paribus import Study

study = Study(
    name="says",
    base="synthetic",
    factors={{"model.activation": ("relu", "parts_that_say:Say", "parts_that_say:Say(bad=1.0)")}},
    baseline={{"model.activation": "relu"}},
    fixed={LEARNS!r},
    replicates=1,
    margin=4.0,
)
'''


def test_a_file_of_any_mode_is_submitted_from_any_folder_with_the_exit_code_of_its_run(
    sandbox: Sandbox, stack: Stack
) -> None:
    address = f"http://127.0.0.1:{stack.ports['PARIBUS_RAY_PORT']}"
    study = sandbox.study(replicates=2)
    study.chmod(0o644)
    (sandbox.folder / "elsewhere").mkdir()
    file = f"../{study.name}"
    wrong = sandbox.run("sh", "-c", f"cd elsewhere && paribus submit --address {address} {file} --replicas 1")
    assert wrong.returncode == 2
    assert "submitted" not in wrong.stdout
    done = sandbox.run("sh", "-c", f"cd elsewhere && paribus submit --address {address} {file} --replicates 1")
    assert done.returncode == 0, done.stderr
    assert "submitted to" in done.stdout
    assert f"ray job logs --follow --address {address} " in done.stdout
    assert "[2/2]" in done.stdout
    assert [trial.outcome for trial in sandbox.trials(study)] == ["finished", "finished"]


def test_a_study_joins_the_stack_and_a_trials_words_and_traceback_are_shown(sandbox: Sandbox, stack: Stack) -> None:
    sandbox.write("parts_that_say", PARTS)
    study = sandbox.write("says", STUDY)
    home = {"PARIBUS_HOME": str(stack.home), "RAY_ADDRESS": ""}
    done = sandbox.run("paribus", "run", study, **home)
    assert f"on the Ray of the stack at {stack.ray}" in done.stdout, done.stderr
    assert done.returncode == 1
    trials = {trial.arm_name: trial for trial in sandbox.trials(study)}
    assert {name: trial.outcome for name, trial in trials.items()} == {
        "activation=relu": "finished",
        "activation=parts_that_say:Say": "finished",
        "activation=parts_that_say:Say(bad=1.0)": "failed",
    }
    failed = trials["activation=parts_that_say:Say(bad=1.0)"]
    text = sandbox.run("paribus", "logs", failed.trial_id[:12]).stdout
    assert "failed, attempt 1" in text
    assert "RuntimeError: broken on purpose" in text.partition("traceback.txt:")[2]
    named = sandbox.run("paribus", "logs", "says:activation=parts_that_say:Say · r1", "--json")
    told = json.loads(named.stdout)
    assert told["outcome"] == "finished"
    assert "a part of mine was made" in told["files"]["printed.txt"]
    silent = sandbox.run("paribus", "logs", trials["activation=relu"].trial_id[:12]).stdout
    assert "a part of mine" not in silent


SEARCH = f'''"""Which momentum?"""

from paribus import Float, Search

search = Search(
    name="joins",
    base="synthetic",
    space={{"optimizer.momentum": Float(0.5, 0.9)}},
    fixed={LEARNS!r},
    trials=1,
    sampler="random",
    scheduler="none",
    confirm=0,
)
'''


def test_a_search_joins_the_stack_too(sandbox: Sandbox, stack: Stack) -> None:
    """Its head asks for a token, so that it must be known where Ray is loaded, be it before the cluster is."""
    done = sandbox.run("paribus", "run", sandbox.write("joins", SEARCH), PARIBUS_HOME=str(stack.home), RAY_ADDRESS="")
    assert f"searching on the Ray of the stack at {stack.ray}" in done.stdout, done.stderr
    assert "its worker was lost" not in done.stdout
    assert "[1/1] #0" in done.stdout
