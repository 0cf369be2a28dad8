"""An adaptive study on a real cluster and a real ledger: look after look, killed between two, resolved early."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox import LEARNS, Sandbox, Stack, environment, kill

pytestmark = pytest.mark.cluster

STUDY = '''#!/usr/bin/env python
"""Does a wider net tell textures better apart?"""

from paribus import Adaptive, Study, main

study = Study(
    name={name!r},
    base="synthetic",
    factors={{"model.width": (0.25, 0.5)}},
    margin={margin},
    replicates=Adaptive((3, 4, 6)),
    fixed={fixed!r},
)

if __name__ == "__main__":
    main(study)
'''


@pytest.fixture(scope="module")
def office(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("adaptive")
    cluster = {"RAY_ADDRESS": stack.ray, "MLFLOW_TRACKING_URI": stack.uri}
    made = Sandbox(folder=folder, env=environment(stack.checkout, folder / "home", **cluster))
    yield made
    made.end()


def written(office: Sandbox, name: str, margin: float) -> Path:
    return office.write(name, STUDY.format(name=name, margin=margin, fixed=LEARNS))


def test_a_study_that_is_resolved_at_its_first_look_asks_for_no_more(office: Sandbox) -> None:
    study = written(office, "resolved-early", margin=70.0)
    plan = json.loads(office.run("paribus", "plan", study, "--json").stdout)
    assert plan["counts"] == {"start": 6, "later": 6}
    done = office.run(study)
    assert done.returncode == 0, done.stderr
    assert "a look:" not in done.stdout
    assert "equivalent" in done.stdout
    assert "judged at the look at 3 replicates" in done.stdout
    assert len(office.trials(study)) == 6
    again = office.run(study)
    assert "6 done, skipped" in again.stdout
    assert len(office.trials(study)) == 6


def test_a_driver_that_is_killed_between_looks_goes_on_to_the_same_trials(office: Sandbox) -> None:
    study = written(office, "killed-between", margin=4.0)
    running = office.start(study, PYTHONUNBUFFERED="1")
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("a look: 2 of 2 arms go on"):
            break
    kill(running.pid)
    running.wait()
    done = office.run(study)
    assert done.returncode == 0, done.stderr
    trials = office.trials(study)
    assert [trial.replicate for trial in trials] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    # What had ended before the kill was not trained again.
    assert all(trial.attempt == 1 for trial in trials if trial.replicate <= 3)
    assert "judged at the look at 6 replicates, the last" in done.stdout
    status = json.loads(office.run("paribus", "report", study, "--json").stdout)
    assert status["looks"] is None, "planned looks are no looks that anybody has to pay for again"


def test_a_fixed_number_on_the_command_line_takes_the_looks_place(office: Sandbox) -> None:
    study = written(office, "fixed-after", margin=4.0)
    plan = json.loads(office.run("paribus", "plan", study, "--json", "--replicates", 5).stdout)
    assert plan["counts"] == {"start": 10}
