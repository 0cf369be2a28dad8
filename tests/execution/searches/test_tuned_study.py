"""A tuned comparison on a real cluster: each arm's search, killed and resumed, then the study at what was found."""

from __future__ import annotations

import json

import pytest
from sandbox import Sandbox, kill

from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster

STUDY = '''#!/usr/bin/env python
"""Does a wider net tell digits better apart, each at its own rate?"""

from paribus import Float, Study, Tuning, main

study = Study(
    name="fair",
    factors={"model.width": (0.25, 0.5)},
    baseline={"model.width": 0.25},
    fixed={
        "model.depth": 10,
        "data.train_fraction": 0.1,
        "data.batch_size": 16,
        "budget": "6 epochs",
        "resources.cpus": 1.5,
    },
    nuisance={"optimizer.lr": Float(0.02, 1.0, log=True)},
    tuning=Tuning(trials=3, sampler="sobol", holdout=0.25),
    margin=20.0,
    replicates=3,
)

if __name__ == "__main__":
    main(study)
'''


def test_arms_are_tuned_alike_and_then_judged_at_what_was_found(sandbox: Sandbox) -> None:
    file = sandbox.write("fair", STUDY)
    plan = sandbox.run("paribus", "plan", file)
    assert "each of 2 arms is tuned over 3 settings of optimizer.lr by sobol" in plan.stdout
    assert "arm k=0.25: 3 to come" in plan.stdout
    early = sandbox.run("paribus", "report", file)
    assert early.returncode == 2
    assert "is not tuned yet, so nothing can be judged" in early.stderr

    running = sandbox.start(file, PYTHONUNBUFFERED="1")
    assert running.stdout is not None
    for line in running.stdout:
        if line.startswith("[2/3]"):
            break
    kill(running.pid)
    running.wait()
    done = sandbox.run(file)
    assert done.returncode == 0, done.stdout + done.stderr
    with Ledger(sandbox.env["MLFLOW_TRACKING_URI"]) as ledger:
        tuning, judged = ledger.trials("fair-tuning"), ledger.trials("fair")
    assert len(tuning) == 6, "as many for one arm as for the other, and none twice"
    assert {trial.params["model.width"] for trial in tuning} == {"0.25", "0.5"}
    assert {trial.params["data.holdout"] for trial in tuning} == {"0.25"}
    assert len(judged) == 6
    assert {trial.params["data.holdout"] for trial in judged} == {"0.0"}
    assert not {trial.seeds["order"] for trial in tuning} & {trial.seeds["order"] for trial in judged}

    report = json.loads(sandbox.run("paribus", "report", file, "--json").stdout)
    found = {each["arm"]: each for each in report["tuning"]}
    assert set(found) == {"k=0.25", "k=0.5"}
    for trial in judged:
        best = found[trial.arm_name]
        assert float(trial.params["optimizer.lr"]) == best["tuned_to"]["optimizer.lr"]
        own = [one for one in tuning if one.params["model.width"] == trial.params["model.width"]]
        assert best["held_out_value"] == max(one.metrics["top1"] for one in own if one.outcome == "finished")
    costs = {row["name"]: row for row in report["cost"]["rows"] if row["kind"] == "tuning"}
    assert {name: row["trials"] for name, row in costs.items()} == {"k=0.25": 3, "k=0.5": 3}
    assert report["cost"]["hours"] > report["cost"]["hours_before"] > 0
    text = sandbox.run("paribus", "report", file).stdout
    assert "k=0.25: tuned to lr=" in text
    assert "tuning curves (best so far):" in text
    assert "tuned in each arm, with 3 trials in every one" in text
    assert all(each["budgets_are_equal"] and each["trials"] == 3 for each in report["tuning"])
    again = sandbox.run(file)
    assert again.returncode == 0
    assert "6 done, skipped" in again.stdout
