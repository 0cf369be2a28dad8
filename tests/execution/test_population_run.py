"""A population on a real cluster and a real ledger: trained, killed, gone on with, and shown with its lineage."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sandbox import Sandbox, Stack, environment, kill

from paribus.tracking.ledger import Ledger
from paribus.tracking.trials.record import TrialRecord

pytestmark = pytest.mark.cluster

SEARCH = '''#!/usr/bin/env python
"""Which schedule of rates suits a tiny net on a tenth of digits best?"""

from paribus import Float, Search, main

search = Search(
    name={name!r},
    fixed={{
        "model.depth": 10,
        "model.width": 0.25,
        "data.train_fraction": 0.1,
        "data.batch_size": 16,
        "optimizer.decay_norms_and_biases": False,
        "budget": "6 epochs",
    }},
    space={{"optimizer.lr": Float(0.01, 0.5, log=True), "optimizer.weight_decay": Float(1e-4, 1e-1, log=True)}},
    trials=4,
    scheduler="pbt(interval=2)",
    confirm=0,
    holdout=0.25,
)

if __name__ == "__main__":
    main(search)
'''


@pytest.fixture
def office(stack: Stack, tmp_path: Path) -> Iterator[Sandbox]:
    cluster = {"RAY_ADDRESS": stack.ray, "MLFLOW_TRACKING_URI": stack.uri}
    made = Sandbox(folder=tmp_path, env=environment(stack.checkout, tmp_path / "home", **cluster))
    yield made
    made.end()


def known(office: Sandbox, name: str) -> list[TrialRecord]:
    with Ledger(office.env["MLFLOW_TRACKING_URI"]) as ledger:
        return sorted(ledger.trials(name), key=lambda record: record.replicate)


def killed_after(office: Sandbox, file: Path, lines: int) -> None:
    """Run it until so many trials have come to the end of their generation, and kill the driver."""
    running = office.start(file, PYTHONUNBUFFERED="1")
    assert running.stdout is not None
    seen = 0
    for line in running.stdout:
        seen += line.startswith("[")
        if seen == lines:
            break
    kill(running.pid)
    running.wait()


def lines_of(trials: Sequence[TrialRecord]) -> list[tuple[str, int | None, str]]:
    """Of each trial its setting, whom it goes on from, and its id."""
    return [(trial.arm_name, trial.lineage.get("parent"), trial.trial_id) for trial in trials]


def test_a_population_that_is_killed_goes_on_and_comes_to_the_same_lines(office: Sandbox) -> None:
    file = office.write("killed-population", SEARCH.format(name="killed-population"))
    killed_after(office, file, lines=6)
    done = office.run(file)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = known(office, "killed-population")
    assert [trial.replicate for trial in trials] == [*range(1, 13)], "one run a trial, and none is missing"
    assert [trial.outcome for trial in trials] == ["stopped"] * 8 + ["finished"] * 4
    for trial in trials[4:]:
        parent = trials[trial.lineage["parent"]]
        assert (trial.lineage["trial"], trial.lineage["code"]) == (parent.trial_id, parent.code)
        assert parent.epoch == trial.lineage["epochs"]
        assert f"#{trial.replicate - 1}" in parent.reason
    assert not list((office.home / "checkpoints" / "killed-population").glob("*")), "nobody goes on from these"

    whole = office.write("whole-population", SEARCH.format(name="whole-population"))
    assert office.run(whole).returncode == 0
    undisturbed = known(office, "whole-population")
    assert lines_of(trials) == lines_of(undisturbed)
    assert any(trial.arm_name != trials[trial.lineage["parent"]].arm_name for trial in trials[4:]), "none was replaced"
    for one, other in zip(trials[8:], undisturbed[8:], strict=True):
        assert one.metrics["top1"] == other.metrics["top1"], "to the bit"
        assert one.metrics["log_likelihood"] == other.metrics["log_likelihood"]

    report = json.loads(office.run("paribus", "report", whole, "--json").stdout)
    best = report["best"][0]["number"]
    line = report["lineage"][str(best)]
    assert line[-1] == best
    assert [report["trials"][number]["goes_on_from"] for number in line] == [None, *line[:-1]]
