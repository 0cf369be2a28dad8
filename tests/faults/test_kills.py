"""kill -9 of a worker, of the driver, of the head; Ctrl-C and `ray job stop`: the same command completes the study."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import HANGS_S, LONG, Desk, Stack, kill, wait_for

pytestmark = pytest.mark.cluster
Check = Callable[[Desk, Path], None]


def workers(desk: Desk, study: Path) -> list[int]:
    """The processes that train the study now, as the ledger tells them."""
    running = [trial for trial in desk.trials(study) if trial.running]
    return [int(str(facts["pid"])) for trial in running for facts in trial.attempts.values()]


def resumed(desk: Desk, study: Path) -> list[int]:
    return [step for trial in desk.trials(study) for step in trial.resumed_steps.values()]


def running(desk: Desk, study: Path) -> list[str]:
    return [trial.trial_id for trial in desk.trials(study) if trial.running]


def test_a_killed_worker_is_replaced_and_its_trial_goes_on(desk: Desk, assert_completed: Check) -> None:
    study = desk.study(**LONG)
    driver = desk.start(study)
    wait_for(lambda: desk.checkpoints(study) and workers(desk, study), "a checkpoint and a run in the ledger")
    kill(workers(desk, study)[0])
    out, err = driver.communicate(timeout=HANGS_S)
    assert driver.returncode == 0, out + err
    assert "its worker was lost; it goes on from its last checkpoint" in out
    assert "Traceback" not in out + err
    assert_completed(desk, study)
    assert max(trial.attempt for trial in desk.trials(study)) == 2
    assert max(resumed(desk, study)) > 0


def test_a_killed_driver_leaves_a_study_that_the_same_command_completes(desk: Desk, assert_completed: Check) -> None:
    study = desk.study(**LONG)
    driver = desk.start(study)
    wait_for(lambda: desk.checkpoints(study), "a checkpoint")
    kill(driver.pid)
    driver.wait()
    again = desk.run(study)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "to resume" in again.stdout
    assert_completed(desk, study)
    assert max(resumed(desk, study)) > 0


def test_ctrl_c_ends_in_order(desk: Desk, assert_completed: Check) -> None:
    study = desk.study(**LONG)
    driver = desk.start(study)
    wait_for(lambda: desk.checkpoints(study), "a checkpoint")
    os.killpg(driver.pid, signal.SIGINT)
    out, err = driver.communicate(timeout=60)
    assert driver.returncode == 130, out + err
    assert "the same command goes on from here" in err
    assert "Traceback" not in out + err
    assert running(desk, study) == []
    status = desk.run(study, "status")
    assert "cut off; the same command resumes it" in status.stdout
    assert desk.run(study).returncode == 0
    assert_completed(desk, study)


def test_a_stopped_job_ends_in_order(desk: Desk, stack: Stack, assert_completed: Check) -> None:
    study = desk.study(**LONG)
    address = {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{stack.ports['PARIBUS_RAY_PORT']}"}
    env = f'{{"env_vars": {{"PARIBUS_HOME": "{desk.home}", "PARIBUS_CHECKPOINT_S": "0.2"}}}}'
    submit = ("ray", "job", "submit", "--submission-id", study.stem, "--runtime-env-json", env, "--", study)
    submitted = desk.start(*submit, **address)
    wait_for(lambda: desk.checkpoints(study), "a checkpoint")
    assert desk.run("ray", "job", "stop", study.stem, **address).returncode == 0
    out, _ = submitted.communicate(timeout=60)
    assert "the same command goes on from here" in out
    assert running(desk, study) == []
    assert desk.run(study).returncode == 0
    assert_completed(desk, study)


def test_a_second_driver_is_refused_while_the_first_lives(desk: Desk) -> None:
    study = desk.study(**LONG)
    desk.start(study)
    wait_for(lambda: desk.checkpoints(study), "a checkpoint")
    second = desk.run(study)
    assert second.returncode == 1
    assert "already being run by process" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_crashed_head_leaves_a_study_that_the_same_command_completes(
    desk: Desk, stack: Stack, assert_completed: Check
) -> None:
    """As a machine that loses its power: every process of the cluster, the job's driver included, dies at once."""
    study = desk.study(**LONG)
    address = {"RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{stack.ports['PARIBUS_RAY_PORT']}"}
    env = f'{{"env_vars": {{"PARIBUS_HOME": "{desk.home}", "PARIBUS_CHECKPOINT_S": "0.2"}}}}'
    desk.start("ray", "job", "submit", "--runtime-env-json", env, "--", study, **address)
    wait_for(lambda: desk.checkpoints(study), "a checkpoint")
    stack.crash_ray()
    try:
        lost = desk.run(study)
        assert lost.returncode == 1
        assert "no Ray cluster answers" in lost.stderr
        assert "Traceback" not in lost.stderr
    finally:
        stack.up()
    again = desk.run(study)
    assert again.returncode == 0, again.stdout + again.stderr
    assert_completed(desk, study)
    assert max(resumed(desk, study)) > 0
