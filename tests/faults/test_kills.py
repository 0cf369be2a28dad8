"""kill -9 of a worker, of the driver, of the head; Ctrl-C and `ray job stop`: the same command completes the study."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox import LONG, Sandbox, Stack, kill, wait_for

pytestmark = pytest.mark.cluster
Check = Callable[[Sandbox, Path], None]


def workers(sandbox: Sandbox, study: Path) -> list[int]:
    """The processes that train the study now, as the ledger tells them."""
    running = [trial for trial in sandbox.trials(study) if trial.running]
    return [int(str(facts.pid)) for trial in running for facts in trial.attempts.values()]


def resumed(sandbox: Sandbox, study: Path) -> list[int]:
    return [step for trial in sandbox.trials(study) for step in trial.resumed_steps.values()]


def running(sandbox: Sandbox, study: Path) -> list[str]:
    return [trial.trial_id for trial in sandbox.trials(study) if trial.running]


def fresh(sandbox: Sandbox, study: Path) -> None:
    """Wait for a checkpoint that was not there: whoever trains now has gone on from where the last one was ended."""
    before = set(sandbox.checkpoints(study))
    wait_for(lambda: set(sandbox.checkpoints(study)) - before, "another checkpoint")


def test_a_killed_worker_is_replaced_and_ctrl_c_ends_in_order(sandbox: Sandbox, assert_completed: Check) -> None:
    study = sandbox.study(**LONG)
    driver = sandbox.start(study)
    wait_for(lambda: sandbox.checkpoints(study) and workers(sandbox, study), "a checkpoint and a run in the ledger")
    kill(workers(sandbox, study)[0])
    second = sandbox.run(study)
    assert second.returncode == 1
    assert "already being run by process" in second.stderr
    assert "Traceback" not in second.stderr
    wait_for(lambda: max(resumed(sandbox, study), default=0) > 0, "another worker in its place")
    assert max(trial.attempt for trial in sandbox.trials(study)) == 2
    os.killpg(driver.pid, signal.SIGINT)
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 130, out + err
    assert "attempt 2 goes on from step " in out
    assert "the same command goes on from here" in err
    assert "Traceback" not in out + err
    assert running(sandbox, study) == []
    status = sandbox.run(study, "status")
    assert "cut off; the same command resumes it" in status.stdout
    assert sandbox.run(study).returncode == 0
    assert_completed(sandbox, study)


def test_a_stopped_job_ends_in_order_and_a_killed_driver_leaves_a_study_that_the_same_command_completes(
    sandbox: Sandbox, stack: Stack, assert_completed: Check
) -> None:
    study = sandbox.study(**LONG)
    address = {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{stack.ports['PARIBUS_RAY_PORT']}"}
    env = f'{{"env_vars": {{"PARIBUS_HOME": "{sandbox.home}", "PARIBUS_CHECKPOINT_S": "0.2"}}}}'
    submit = ("ray", "job", "submit", "--submission-id", study.stem, "--runtime-env-json", env, "--", study)
    submitted = sandbox.start(*submit, **address)
    wait_for(lambda: sandbox.checkpoints(study), "a checkpoint")
    assert sandbox.run("ray", "job", "stop", study.stem, **address).returncode == 0
    out, _ = submitted.communicate(timeout=60)
    assert "the same command goes on from here" in out
    assert running(sandbox, study) == []

    before = set(sandbox.checkpoints(study))
    driver = sandbox.start(study)
    wait_for(lambda: set(sandbox.checkpoints(study)) - before, "another checkpoint")
    kill(driver.pid)
    driver.wait()
    assert driver.returncode == -signal.SIGKILL, "it had ended by itself"
    again = sandbox.run(study)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "to resume" in again.stdout
    assert_completed(sandbox, study)
    assert max(resumed(sandbox, study)) > 0


def test_a_crashed_head_leaves_a_study_that_the_same_command_completes(
    sandbox: Sandbox, stack: Stack, assert_completed: Check
) -> None:
    """As a machine that loses its power: every process of the cluster, the job's driver included, dies at once."""
    study = sandbox.study(**LONG)
    address = {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{stack.ports['PARIBUS_RAY_PORT']}"}
    env = f'{{"env_vars": {{"PARIBUS_HOME": "{sandbox.home}", "PARIBUS_CHECKPOINT_S": "0.2"}}}}'
    sandbox.start("ray", "job", "submit", "--runtime-env-json", env, "--", study, **address)
    wait_for(lambda: sandbox.checkpoints(study), "a checkpoint")
    stack.crash_ray()
    try:
        lost = sandbox.run(study)
        assert lost.returncode == 1
        assert "no Ray cluster answers" in lost.stderr
        assert "Traceback" not in lost.stderr
    finally:
        stack.up()
    again = sandbox.run(study)
    assert again.returncode == 0, again.stdout + again.stderr
    assert_completed(sandbox, study)
    assert max(resumed(sandbox, study)) > 0
