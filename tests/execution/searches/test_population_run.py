"""A population on a real cluster and a real ledger: trained, killed and gone on with."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sandbox import Sandbox

from paribus import Search
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import scheduler_of
from paribus.engine.searches.population import Population, walk_of
from paribus.engine.searches.tried import Go
from paribus.study.study_file import load_study
from paribus.tracking.curves import curves_of
from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster

SEARCH = '''#!/usr/bin/env python
"""Which schedule of rates suits a tiny net on a tenth of digits best?"""

from paribus import Float, Search, main

search = Search(
    name="schedules",
    fixed={
        "model.depth": 10,
        "model.width": 0.25,
        "data.train_fraction": 0.1,
        "data.batch_size": 16,
        "optimizer.decay_norms_and_biases": False,
        "budget": "6 epochs",
        "resources.cpus": 1.5,
    },
    space={"optimizer.lr": Float(0.01, 0.5, log=True), "optimizer.weight_decay": Float(1e-4, 1e-1, log=True)},
    trials=4,
    scheduler="pbt(interval=2)",
    confirm=0,
    holdout=0.25,
)

if __name__ == "__main__":
    main(search)
'''


def walked_again(search: Search, values: dict[int, Mapping[int, float]]) -> Population:
    """The population as an undisturbed driver would have walked it, were the trials' values these."""
    walk = walk_of(search, 6, sampler_of(search), scheduler_of(search.scheduler), [])
    assert isinstance(walk, Population)
    while isinstance(go := walk.next(), Go):
        number = go.tried.number
        for epoch, value in values[number].items():
            walk.seen(number, epoch, value)
        if go.until:
            walk.paused(number, go.until)
        else:
            walk.ended(number, "finished", {"top1": values[number][6]})
    return walk


def test_a_population_that_is_killed_goes_on_as_if_it_had_not_been(office: Sandbox) -> None:
    file = office.write("schedules", SEARCH)
    office.kill_after(file, "[", lines=6)
    half = office.trials(file)
    assert len(half) < 12, "killed in its second generation"
    done = office.run(file)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = sorted(office.trials(file), key=lambda record: record.replicate)
    assert [trial.replicate for trial in trials] == [*range(1, 13)], "one run a trial, and none is missing"
    assert [trial.outcome for trial in trials] == ["stopped"] * 8 + ["finished"] * 4
    assert {trial.trial_id for trial in half} <= {trial.trial_id for trial in trials}
    for trial in trials[4:]:
        parent = trials[trial.lineage["parent"]]
        assert (trial.lineage["trial"], trial.lineage["code"]) == (parent.trial_id, parent.code)
        assert min(trial.resumed_steps.values()) == parent.step, "it goes on from there"
        assert parent.epoch == trial.lineage["epochs"]
        assert f"#{trial.replicate - 1}" in parent.reason
    assert not list((office.home / "checkpoints" / "schedules").glob("*")), "nobody goes on from these"

    search = load_study(str(file))
    assert isinstance(search, Search)
    with Ledger(office.env["MLFLOW_TRACKING_URI"]) as ledger:
        curves = curves_of(ledger, trials, "top1")
    walk = walked_again(search, {trial.replicate - 1: curves[trial.run_id] for trial in trials})
    told = [(trial.lineage.get("parent"), trial.arm) for trial in trials]
    assert told == [(walk.tried[n].parent, search.arm_of(walk.tried[n].levels)) for n in range(12)]
    assert any(arm != trials[parent].arm for parent, arm in told if parent is not None), "none was replaced"
