"""Ray Tune's own searcher and scheduler by name, on a real cluster and ledger: the driver is killed and goes on, beside
settings that no memory is enough for and a worker that is killed as by the system when memory is short."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from operator import ne
from pathlib import Path

import pytest
from sandbox import Sandbox, Stack, environment

from paribus.engine.options import Options
from paribus.engine.samplers.tune.tune_sampler import TuneSampler
from paribus.engine.schedulers.tune.tune_news import GONE, when_heard
from paribus.engine.searches.search_preview import SearchPreview, make_search_preview
from paribus.engine.searches.tried import Tried
from paribus.execution.searches.search_ledger import SearchLedger
from paribus.execution.workers.trial_spec import outbox_of
from paribus.plugins import stand_beside
from paribus.study.searches.search import Search
from paribus.study.searches.search_document import DESIGN
from paribus.study.settings import settings_of
from paribus.study.study_file import load_study
from paribus.tracking.curves import Curve
from paribus.tracking.trials.record import TrialRecord

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not os.environ.get("PARIBUS_LONG_FAULTS"), reason="takes minutes: PARIBUS_LONG_FAULTS=1"),
]

# When the ledger was told of each epoch, by number of the trial.
TOLD: dict[int, dict[int, int]] = {}
PARTS_USED = ("relu", "Hungry", "Killed")
PARTS = '''
import os
import signal
from pathlib import Path

import torch
from torch import nn

KILLED = Path({killed!r})


class Hungry(nn.ReLU):
    """Asks for more memory than any machine has as soon as it is trained."""

    def forward(self, x):
        if self.training and len(x) >= 16:
            torch.empty(1 << 50, dtype=torch.uint8)
        return super().forward(x)


class Killed(nn.ReLU):
    """Dies once of what the system does to the largest process when memory is short."""

    def forward(self, x):
        if self.training and len(x) >= 16 and not KILLED.exists():
            KILLED.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(x)
'''
SEARCH = '''#!/usr/bin/env python
"""Which rate and activation suit a tiny net on a tenth of digits best?"""

from paribus import Choice, Float, Search, main

search = Search(
    name="named",
    fixed={
        "resources.cpus": 1.5,
        "model.depth": 10,
        "model.width": 0.25,
        "data.train_fraction": 0.1,
        "data.batch_size": 16,
        "budget": "4 epochs",
    },
    space={
        "optimizer.lr": Float(0.05, 1.0, log=True),
        "model.activation": Choice("relu", "hungry_parts:Hungry", "hungry_parts:Killed"),
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
    made = Sandbox(folder=tmp_path, env=environment(stack.checkout, tmp_path / "home", **stack.joined))
    yield made
    made.end()
    stand_beside()


def test_a_killed_driver_goes_on_and_a_setting_without_memory_is_its_own_failure(office: Sandbox) -> None:
    killed = office.folder / "killed"
    (office.folder / "hungry_parts.py").write_text(PARTS.format(killed=str(killed)))
    file = office.write("named", SEARCH)
    office.kill_after(file, "[", 4)
    before = {trial.trial_id for trial in office.trials(file)}
    assert 0 < len(before) < 10
    done = office.run(file)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = office.trials(file)
    assert [trial.replicate for trial in trials] == [*range(1, 11)], "one run a trial, and none is missing"
    assert before <= {trial.trial_id for trial in trials}
    by_part = {name: [t for t in trials if t.arm.as_dict()["model.activation"].endswith(name)] for name in PARTS_USED}
    assert all(by_part.values()), "this seed of the searcher tries all three"
    hungry = by_part["Hungry"]
    assert {(trial.outcome, trial.failure, trial.attempt) for trial in hungry} == {("failed", "oom", 1)}
    assert killed.exists()
    others = {trial.outcome for trial in trials if trial not in hungry}
    assert others <= {"finished", "stopped", "stuck", "dead", "diverged"}, "whose worker was killed goes on"
    assert "finished" in others
    assert_decided_again(recorded(office, file), hungry)


def assert_decided_again(preview: SearchPreview, hungry: list[TrialRecord]) -> None:
    """From the ledger alone, searcher and scheduler say and cut what they said and cut."""
    walk, sampler = preview.walk, preview.walk.sampler
    assert walk.next() == "over", "what no memory is enough for is not tried again"
    sampler.propose(len(walk.tried), walk.told())
    assert isinstance(sampler, TuneSampler)
    assert sampler._astray == set()
    assert {each.number for each in walk.told() if each.state == "failed"} >= {each.replicate - 1 for each in hungry}
    stopped = {number for number, each in walk.tried.items() if each.state == "stopped"}
    assert stopped, "this seed of the searcher has some that are cut"
    for is_held in (True, False):
        again = type(walk)(preview.search, sampler, walk.scheduler, walk.epochs)
        again.restore(waiting(each, is_held) for each in walk.tried.values())
        assert set(again.hopeless()) == stopped
    in_order = [(number, place) for number, place in walk.order if place > 0]
    by_clock = sorted(in_order, key=lambda event: TOLD[event[0]][event[1]])
    print(f"{len(in_order)} epochs, {sum(map(ne, in_order, by_clock))} elsewhere by the records' times; cut: {stopped}")


def waiting(each: Tried, is_held: bool) -> Tried:
    """A trial as if its cut were still to be said; without `is_held` also to be decided, in the order of hearing."""
    when = dict(each.when)
    if not is_held:
        when = {place: at - when_heard(0) if at < 0 else at for place, at in when.items() if place != GONE}
    return (
        replace(each, state="paused", outcome=None, when=when) if each.state == "stopped" else replace(each, when=when)
    )


def told_of(curve: object) -> dict[int, int]:
    assert isinstance(curve, Curve)
    return curve.told_ms


def recorded(office: Sandbox, file: Path) -> SearchPreview:
    """The search as its next driver would find it."""
    stand_beside(file.parent)
    search = load_study(str(file))
    assert isinstance(search, Search)
    settings = settings_of(search, None)
    outbox = outbox_of(office.home, search.name, settings)
    ledger = SearchLedger(search, office.env["MLFLOW_TRACKING_URI"], outbox, office.home, settings, DESIGN)
    try:
        records = ledger.known()
        assert records is not None
        curves = ledger.curves(records)
        TOLD.update((each.replicate - 1, told_of(curves[each.run_id])) for each in records if each.run_id in curves)
        return make_search_preview(search, office.home, records, ledger.curves, Options())
    finally:
        ledger.close()
