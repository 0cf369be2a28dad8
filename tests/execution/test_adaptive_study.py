"""Studies that go on step by step, on a real cluster and ledger: planned looks, killed between two; a pilot first."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from faulty_line import Answer, faulty_line
from sandbox import LEARNS, Sandbox, Stack

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


def written(office: Sandbox, name: str, margin: float) -> Path:
    return office.write(name, STUDY.format(name=name, margin=margin, fixed=LEARNS))


def test_a_driver_that_is_killed_between_looks_goes_on_to_the_same_trials(office: Sandbox) -> None:
    whole, study = (written(office, name, margin=8.0) for name in ("undisturbed", "killed-between"))
    undisturbed = office.run(whole)
    assert undisturbed.returncode == 0, undisturbed.stderr
    office.kill_after(study, "a look: 2 of 2 arms go on")
    done = office.run(study)
    assert done.returncode == 0, done.stderr
    trials = office.trials(study)
    # What looks decide follows from the results alone: the same trials, and nothing that had ended trained again.
    assert [trial.trial_id for trial in trials] == [trial.trial_id for trial in office.trials(whole)]
    assert len(trials) > 6, "no second look: nothing was killed between two"
    assert all(trial.attempt == 1 for trial in trials if trial.replicate <= 3)
    told = [line for line in undisturbed.stdout.splitlines() if "the look at" in line]
    assert told
    assert all(line in done.stdout for line in told)
    report = json.loads(office.run("paribus", "report", study, "--json").stdout)
    assert report["looks"] is None, "planned looks are no looks that anybody has to pay for again"
    refused = office.run("paribus", "report", study, "--fresh")
    assert refused.returncode == 2
    assert "planned looks" in refused.stderr


FAILS_ONCE = """import os

import torch.nn.functional as F


def loss(logits, targets):
    if len(logits) < 10:  # it is tried on a few rows before anything trains
        return F.cross_entropy(logits, targets, reduction="none")
    try:
        os.mkdir({flag!r})
    except FileExistsError:
        return F.cross_entropy(logits, targets, reduction="none")
    raise RuntimeError("the first batch that is trained on")
"""


def test_a_trial_that_fails_holds_up_no_look_and_is_tried_again_by_the_same_command(office: Sandbox) -> None:
    office.write("fails_once", FAILS_ONCE.format(flag=str(office.folder / "has-failed")))
    fixed = {**LEARNS, "loss": "fails_once:loss"}
    study = office.write("looks-past", STUDY.format(name="looks-past", margin=70.0, fixed=fixed))
    done = office.run(study)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 trial failed: `status` says why, `retry` runs them again" in done.stderr
    assert done.stdout.count("a look: ") >= 1, "the looks go on with the pairs that there are"
    before = {trial.trial_id: trial for trial in office.trials(study)}
    (failed,) = (trial for trial in before.values() if trial.outcome == "failed")
    assert (failed.replicate <= 3, failed.attempt) == (True, 1), "once in a run"
    assert office.run(study).returncode == 0
    after = {trial.trial_id: trial for trial in office.trials(study)}
    assert (after[failed.trial_id].outcome, after[failed.trial_id].attempt) == ("finished", 2)
    assert all(after[name].attempt == 1 for name in before if name != failed.trial_id)


def test_a_study_that_is_resolved_at_its_first_look_asks_for_no_more_and_an_mlflow_that_is_away_then_delays_it(
    office: Sandbox, stack: Stack
) -> None:
    study, results = written(office, "late-look", margin=70.0), list[str]()
    plan = json.loads(office.run("paribus", "plan", study, "--json").stdout)
    assert plan["counts"] == {"start": 6, "later": 6}

    def away_after_the_last_result(method: str, path: str, body: bytes) -> Answer | None:
        if len(results) == 6:
            return Answer(status=503)
        results.extend([path] if b'"final/top1"' in body else [])
        return None

    with faulty_line(stack.uri) as line:
        line.fault = away_after_the_last_result
        away = office.run(study, MLFLOW_TRACKING_URI=line.uri, PARIBUS_DRAIN_S="2")
    assert away.returncode == 1, away.stdout + away.stderr
    assert "[6/6]" in away.stdout
    assert "does not answer, and the next look needs it: the same command goes on" in away.stderr
    assert "Traceback" not in away.stderr
    assert "arm minus baseline" not in away.stdout, "no verdict without the ledger"
    done = office.run(study)
    assert done.returncode == 0, done.stderr
    assert "6 done, skipped" in done.stdout
    assert "a look:" not in done.stdout
    assert "equivalent" in done.stdout
    assert "judged at the look at 3 replicates" in done.stdout
    assert [(trial.outcome, trial.attempt) for trial in office.trials(study)] == [("finished", 1)] * 6
    assert "6 done, skipped" in office.run(study).stdout, "and the same command asks for no more either"


def test_a_retry_goes_to_no_further_look(office: Sandbox) -> None:
    study = written(office, "retried", margin=4.0)
    done = office.run("paribus", "retry", study)
    assert done.returncode == 0, done.stderr
    assert office.trials(study) == [], "nothing had failed, and a look is none of a retry's"


def test_a_fixed_number_on_the_command_line_takes_the_looks_place(office: Sandbox) -> None:
    study = written(office, "fixed-after", margin=4.0)
    plan = json.loads(office.run("paribus", "plan", study, "--json", "--replicates", 5).stdout)
    assert plan["counts"] == {"start": 10}


PILOTED = STUDY.replace("Adaptive((3, 4, 6))", "4, noise_floor=True").replace("Adaptive, ", "")


def test_a_pilot_trains_the_baseline_alone_and_the_study_goes_on_from_it(office: Sandbox) -> None:
    study = office.write("piloted", PILOTED.format(name="piloted", margin=70.0, fixed=LEARNS))
    pilot = office.run("paribus", "pilot", study, "--replicates", 3)
    assert pilot.returncode == 0, pilot.stderr
    assert "6 to start" in pilot.stdout
    assert "6 not of the pilot: `run` trains them" in pilot.stdout
    assert "pilot of piloted: 6 runs of the baseline" in pilot.stdout
    assert re.search(r"one run has an sd of [\d.]+ \[[\d.]+, [\d.]+\] points of top1, over 6 runs", pilot.stdout)
    assert re.search(r"a trial takes \d+ s of a worker", pilot.stdout)
    assert "4 replicates see effects" in pilot.stdout.split("pilot of piloted")[1]
    assert "arm minus baseline" not in pilot.stdout, "nothing is judged"
    first = office.trials(study)
    assert sorted({trial.arm_name for trial in first}) == ["k=0.25", "k=0.25 again (A/A)"]
    assert len(first) == 6
    # What a pilot says may be acted on: replicates that are added after it are no look.
    raised = json.loads(office.run("paribus", "plan", study, "--replicates", 5, "--json").stdout)
    assert raised["look"] == ""
    assert raised["counts"] == {"skip": 6, "start": 9}
    assert raised["sd_source"] == "of unpaired runs (6 of the baseline), until arms have replicates"
    done = office.run(study)
    assert done.returncode == 0, done.stderr
    assert "6 done, skipped" in done.stdout
    assert "equivalent" in done.stdout
    assert "after a look" not in done.stdout
    assert "noise floor: a difference without an effect" in done.stdout
    trials = office.trials(study)
    assert len(trials) == 12
    assert all(trial.attempt == 1 for trial in trials)
