"""Ray Tune's own searcher and scheduler by name, on a real cluster and ledger: killed and gone on with, beside settings
that no memory is enough for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sandbox import Sandbox, Stack, environment

from paribus.engine.options import Options
from paribus.engine.searches.search_preview import SearchPreview, make_search_preview
from paribus.execution.searches.search_ledger import SearchLedger
from paribus.execution.workers.trial_spec import outbox_of
from paribus.plugins import stand_beside
from paribus.study.searches.search import Search
from paribus.study.searches.search_document import DESIGN
from paribus.study.settings import settings_of
from paribus.study.study_file import load_study

pytestmark = pytest.mark.cluster

PARTS = '''
import torch
from torch import nn


class Hungry(nn.ReLU):
    """Wants more memory than there is for a batch that is trained on."""

    def forward(self, x):
        if self.training and len(x) >= 16:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 TiB")
        return super().forward(x)
'''
SEARCH = '''#!/usr/bin/env python
"""Which rate and activation suit a tiny net on a tenth of digits best?"""

from paribus import Choice, Float, Search, main

search = Search(
    name="named",
    fixed={
        "model.depth": 10,
        "model.width": 0.25,
        "data.train_fraction": 0.1,
        "data.batch_size": 16,
        "budget": "4 epochs",
    },
    space={
        "optimizer.lr": Float(0.05, 1.0, log=True),
        "model.activation": Choice("relu", "hungry_parts:Hungry"),
    },
    trials=10,
    sampler="ray.tune.search.optuna:OptunaSearch",
    scheduler="ray.tune.schedulers:ASHAScheduler(grace_period=1, reduction_factor=2)",
    holdout=0.25,
    confirm=0,
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
    stand_beside()


def test_a_killed_driver_goes_on_and_a_setting_without_memory_is_its_own_failure(office: Sandbox) -> None:
    (office.folder / "hungry_parts.py").write_text(PARTS)
    file = office.write("named", SEARCH)
    office.kill_after(file, "[", 6)
    before = {trial.trial_id for trial in office.trials(file)}
    done = office.run(file)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = office.trials(file)
    assert [trial.replicate for trial in trials] == [*range(1, 11)], "one run a trial, and none is missing"
    assert before <= {trial.trial_id for trial in trials}
    hungry = [trial for trial in trials if trial.arm.as_dict()["model.activation"] != "relu"]
    assert hungry
    assert all((trial.outcome, trial.failure, trial.attempt) == ("failed", "oom", 1) for trial in hungry)
    others = {trial.outcome for trial in trials if trial not in hungry}
    assert others <= {"finished", "stopped", "stuck", "dead", "diverged"}
    assert "finished" in others

    preview = recorded(office, file)
    walk = preview.walk
    assert walk.next() == "over", "what no memory is enough for is not tried again"
    # The searcher, made anew and told what the ledger has, says again what it said.
    sampler = walk.sampler
    sampler.propose(len(trials), walk.told())
    assert len(sampler._log) > len(trials)  # type: ignore[attr-defined]
    assert sampler._astray == set()  # type: ignore[attr-defined]
    assert {each.number for each in walk.told() if each.state == "failed"} == {each.replicate - 1 for each in hungry}
    # And the scheduler, told in the ledger's order and not whom it cut, cuts the same.
    again = type(walk)(preview.search, sampler, walk.scheduler, walk.epochs)
    again.restore(
        replace(each, state="paused", outcome=None, when={at: ms for at, ms in each.when.items() if at >= 0})
        if each.state == "stopped"
        else each
        for each in walk.tried.values()
    )
    assert set(again.hopeless()) == {number for number, each in walk.tried.items() if each.state == "stopped"}
    attempts = [trial.attempt for trial in trials]
    assert office.run(file).returncode == 0
    assert [trial.attempt for trial in office.trials(file)] == attempts


def recorded(office: Sandbox, file: Path) -> SearchPreview:
    """The search as its next driver would find it."""
    stand_beside(file.parent)
    search = load_study(str(file))
    assert isinstance(search, Search)
    settings = settings_of(search, None)
    outbox = outbox_of(office.home, search.name, settings)
    ledger = SearchLedger(search, office.env["MLFLOW_TRACKING_URI"], outbox, office.home, settings, DESIGN)
    try:
        return make_search_preview(search, office.home, ledger.known(), ledger.curves, Options())
    finally:
        ledger.close()
