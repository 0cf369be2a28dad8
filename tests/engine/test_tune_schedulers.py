"""Ray Tune's own schedulers by name: driven through their public methods, by records, without a run of Tune's."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from crowd import EPOCHS, Crowd, value
from trial_records import ended

from paribus import Float, Search
from paribus.engine.options import Options
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import SchedulerError, scheduler_of
from paribus.engine.schedulers.tune.tune_news import when_heard
from paribus.engine.searches.recorded_search import recorded_preview
from paribus.engine.searches.search_preview import make_search_preview
from paribus.engine.searches.search_records import tried_of
from paribus.engine.searches.tried import Go, Tried
from paribus.engine.searches.walk import Walk
from paribus.plugins import stand_beside
from paribus.study.designs.arms import StudyError
from paribus.study.settings import settings_of
from paribus.tracking.curves import Curve
from paribus.tracking.studies.heard import heard_in, heard_tags

RAYS = "ray.tune.schedulers:"
ASHA = f"{RAYS}ASHAScheduler(grace_period=1, reduction_factor=3)"
# Asynchronous ones, one that pauses until a bracket is there, one that holds it open, and one that draws brackets.
NAMED = (
    ASHA,
    f"{RAYS}MedianStoppingRule(grace_period=1)",
    f"{RAYS}HyperBandScheduler",
    f"{RAYS}HyperBandForBOHB",
    f"{RAYS}AsyncHyperBandScheduler(brackets=3, reduction_factor=3)",
)
OWN = '''
from ray.tune.schedulers import FIFOScheduler


class Floor(FIFOScheduler):
    """Stops what has not come to so many points after so many epochs."""

    def __init__(self, points=50.0, after=2):
        super().__init__()
        self.points, self.after = points, after

    def on_trial_result(self, controller, trial, result):
        late = result["training_iteration"] >= self.after
        return self.STOP if late and result[self.metric] < self.points else self.CONTINUE


class Shy(Floor):
    """Wants to hear of no baseline."""

    def on_trial_add(self, controller, trial):
        assert trial.trial_id != "0"


class Raises(Floor):
    def on_trial_result(self, controller, trial, result):
        return self.CONTINUE if result["training_iteration"] < 3 else controller.pause_trial(trial)


class Sleeper(Floor):
    def on_trial_result(self, controller, trial, result):
        return self.PAUSE

    def choose_trial_to_run(self, controller):
        return None


class Sets(Floor):
    def set_search_properties(self, metric, mode, **spec):
        return False


def nothing():
    return object()


MADE = []
'''


@pytest.fixture(autouse=True)
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_schedulers.py").write_text(OWN)
    stand_beside(folder)
    yield folder
    stand_beside()


def search(scheduler: str, **fields: Any) -> Search:
    given = {"trials": 27, "sampler": "random", "confirm": 0, "baseline": {}, **fields}
    space = {"optimizer.lr": Float(1e-3, 1.0, log=True)}
    return Search(name="rays", space=space, fixed={"budget": "9 epochs"}, scheduler=scheduler, **given)


def walk_of(made: Search) -> Walk:
    return Walk(made, sampler_of(made), scheduler_of(made.used_scheduler), EPOCHS)


@pytest.mark.parametrize("named", [*NAMED, "own_schedulers:Floor(points=40.0)"])
def test_every_trial_ends_as_something_and_the_scheduler_says_where(named: str) -> None:
    crowd = Crowd(walk_of(search(named)))
    crowd.on()
    assert crowd.walk.next() == "over"
    assert crowd.walk.is_over
    assert len(crowd.walk.tried) == 27
    assert {each.state for each in crowd.walk.tried.values()} == {"finished", "stopped", "failed"}
    for each in crowd.walk.tried.values():
        assert each.state != "stopped" or each.reason.startswith(f"after epoch {max(each.seen)}: ")
    if "Floor" in named:
        low = {number for number in range(27) if number != 4 and value(number, 2) < 40}
        later = {n for n in range(27) for epoch in range(3, EPOCHS + 1) if n != 4 and value(n, epoch) < 40}
        stopped = {number for number, each in crowd.walk.tried.items() if each.state == "stopped"}
        assert low
        assert low <= stopped <= low | later


@pytest.mark.parametrize("named", NAMED)
def test_a_walk_that_is_restored_from_records_decides_as_the_undisturbed_one(named: str) -> None:
    made = search(named)
    undisturbed = Crowd(walk_of(made))
    undisturbed.on()
    for moment in range(3, len(undisturbed.steps), 29):
        before = Crowd(walk_of(made))
        before.on(moment)
        after = Crowd(walk_of(made))
        # In any order, and whoever was cut is told so at the end alone, hence still waits.
        after.walk.restore([_as_recorded(each) for each in reversed(before.walk.tried.values())])
        for number, reason in after.walk.hopeless().items():
            after.walk.cut(number, reason)
        states = {number: each.state for number, each in before.walk.tried.items()}
        assert {number: each.state for number, each in after.walk.tried.items()} == states, moment
        after.clock, after.running = before.clock, list(before.running)
        assert before.steps + after.on() == undisturbed.steps, moment


@pytest.mark.parametrize("named", NAMED)
def test_who_goes_on_from_a_killed_driver_decides_by_what_was_heard_first_whatever_the_clocks_of_workers_say(
    named: str,
) -> None:
    made = search(named)
    undisturbed = Crowd(walk_of(made))
    undisturbed.on()
    for moment in range(12, len(undisturbed.steps), 31):
        before = Crowd(walk_of(made))
        before.on(moment)
        events = heard_in({**heard_tags(before.walk.order[:9]), **heard_tags(before.walk.order, 9)})
        assert events == before.walk.order
        after = Crowd(walk_of(made))
        after.walk.restore([_by_other_clocks(each, events) for each in before.walk.tried.values()])
        for number, reason in after.walk.hopeless().items():
            after.walk.cut(number, reason)
        states = {number: each.state for number, each in before.walk.tried.items()}
        assert {number: each.state for number, each in after.walk.tried.items()} == states, moment
        assert after.walk.order == before.walk.order, "what the next driver would find"
        after.clock, after.running = before.clock, list(before.running)
        assert before.steps + after.on() == undisturbed.steps, moment


def _by_other_clocks(each: Tried, events: Sequence[tuple[int, int]]) -> Tried:
    """As the ledger has it where the clock of each trial's node is off by minutes."""
    off = random.Random(each.number).randrange(1_000_000)
    when = {place: 10**12 + off + place % 100 for place in each.when}
    heard = {place: when_heard(at) for at, (number, place) in enumerate(events) if number == each.number}
    return replace(_as_recorded(replace(each, when=when)), when={**when, **heard})


def test_what_was_decided_and_written_down_is_not_decided_again() -> None:
    """A scheduler of another release might stop others than the one did that was asked."""
    made = search(ASHA, trials=3)
    values = {0: 10.0, 1: 20.0, 2: 30.0}
    order = [(0, 0), (1, 0), (2, 0), (2, 1), (1, 1), (0, 1)]  # of whom ASHA stops the last two

    def restored(events: Sequence[tuple[int, int]]) -> Walk:
        walk = walk_of(made)
        known = [
            Tried(number=each, levels={"optimizer.lr": 0.1}, state="paused", seen={1: values[each]}) for each in values
        ]
        walk.restore([_by_other_clocks(replace(each, when={0: 0, 1: 0}), events) for each in known])
        return walk

    assert restored([*order[:5], (1, -2), order[5], (0, -2)]).hopeless().keys() == {0, 1}
    assert restored([*order, (0, -2)]).hopeless() == {0: "after epoch 1: ASHAScheduler stops it"}
    went_on = restored(order)
    assert went_on.hopeless() == {}
    assert [go.tried.number for go in (went_on.next(), went_on.next(), went_on.next()) if isinstance(go, Go)] == [
        0,
        1,
        2,
    ]
    assert restored([*order, (2, -2)]).hopeless().keys() == {2}


def _as_recorded(each: Tried) -> Tried:
    when = {place: at for place, at in each.when.items() if place >= 0}
    return replace(each, state="paused", outcome=None, reason="", when=when) if each.state == "stopped" else each


def test_a_ledger_tells_the_order_and_what_it_says_holds_whatever_the_scheduler_would_say() -> None:
    """Three trials at one rung: which of them ASHA stops depends on who came first."""
    made = search(ASHA, trials=3)
    values = {0: 10.0, 1: 20.0, 2: 30.0}

    def restored(order: list[int], outcome: str | None = None) -> Walk:
        records, curves = {}, {}
        for number in range(3):
            at = 1000 + order.index(number)
            record = ended(made.arm_of({"optimizer.lr": 0.1}), number + 1, run_id=f"run {number}", started_ms=900)
            records[number] = replace(record, outcome=outcome if number == 0 else None, ended_ms=5000)
            curves[f"run {number}"] = Curve({1: values[number]}, {1: at})
        walk = walk_of(made)
        walk.restore(tried_of(records, curves, walk.scheduler, EPOCHS))
        return walk

    assert restored([0, 1, 2]).hopeless() == {}, "each is the best so far"
    assert restored([2, 1, 0]).hopeless().keys() == {0, 1}
    assert restored([1, 0, 2]).hopeless() == {0: "after epoch 1: ASHAScheduler stops it"}
    stopped = restored([0, 1, 2], "stopped")
    assert stopped.hopeless() == {}
    assert stopped.tried[0].state == "stopped"
    go = stopped.next()
    assert isinstance(go, Go)
    assert go.tried.number == 1


def test_the_baseline_of_a_search_that_confirms_is_trained_to_its_end_and_no_scheduler_is_told_of_it() -> None:
    made = search("own_schedulers:Shy(points=1000.0)", confirm=3, baseline=None, trials=5)
    walk = walk_of(made)
    crowd = Crowd(walk, workers=1)
    crowd.on()
    assert walk.tried[0].state == "finished"
    assert {walk.tried[number].state for number in (1, 2, 3)} == {"stopped"}


def test_no_global_generator_is_moved_and_what_is_drawn_depends_on_the_seed() -> None:
    drawn = []
    for outer, seed in enumerate((0, 0, 1)):
        np.random.seed(outer)
        before = np.random.get_state()[1].tolist(), random.getstate()
        crowd = Crowd(walk_of(search(NAMED[-1], seed=seed)))
        crowd.on()
        assert (np.random.get_state()[1].tolist(), random.getstate()) == before
        drawn.append(crowd.steps)
    assert drawn[0] == drawn[1]
    assert drawn[2] != drawn[0]


def test_a_scheduler_that_lets_nobody_go_on_ends_a_search_with_the_reason() -> None:
    crowd = Crowd(walk_of(search("own_schedulers:Sleeper", trials=4)), workers=2)
    crowd.on()
    reasons = {each.reason for each in crowd.walk.tried.values()}
    assert reasons == {"nothing runs, no setting is to come, and Sleeper lets nobody who waits go on"}


def test_what_a_scheduler_raises_ends_the_search_in_a_sentence() -> None:
    with pytest.raises(StudyError, match="Raises raised in on_trial_result: AttributeError: it asks Tune's controller"):
        Crowd(walk_of(search("own_schedulers:Raises"))).on()


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        (f"{RAYS}AshaScheduler", "has no 'AshaScheduler'; did you mean 'ASHAScheduler'?"),
        ("ray.tunes:ASHAScheduler", "there is no module 'ray.tunes'"),
        (
            f"{RAYS}ASHAScheduler(grace_periods=1)",
            "cannot be made: AsyncHyperBandScheduler.__init__() got an unexpected",
        ),
        (f"{RAYS}ASHAScheduler(grace_period=0)", "cannot be made: grace_period must be positive!"),
        (f"{RAYS}ASHAScheduler(metric='loss')", "metric = 'loss': the search says what is best"),
        (f"{RAYS}ASHAScheduler(time_attr='time_total_s')", "trials here report epochs, which are 'training_iteration'"),
        (f"{RAYS}MedianStoppingRule", "grace_period = 60 of 9 epochs leaves nothing to stop"),
        (f"{RAYS[:-1]}.pb2:PB2(hyperparam_bounds={{'lr': [0.1, 1.0]}})", "in a private method alone (_get_new_config)"),
        (
            f"{RAYS}PopulationBasedTrainingReplay(policy_file='empty')",
            "reads a policy file that only Tune's own population writes",
        ),
        (f"{RAYS}PopulationBasedTraining(hyperparam_mutations={{'lr': [0.1, 1.0]}})", "take 'pbt'"),
        (f"{RAYS}ResourceChangingScheduler", "changes what a running trial asks of the cluster"),
        ("own_schedulers:nothing", "makes a object, which is no TrialScheduler"),
        ("own_schedulers:MADE", "is a list"),
    ],
)
def test_what_cannot_be_driven_is_refused_by_the_plan(
    named: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").touch()
    with pytest.raises(SchedulerError) as refused:
        make_search_preview(search(named), tmp_path, [], lambda own: {}, Options())
    assert sentence in str(refused.value)


def test_a_scheduler_with_a_metric_of_its_own_is_refused() -> None:
    with pytest.raises(SchedulerError, match="has a metric or mode of its own"):
        walk_of(search("own_schedulers:Sets"))


def test_a_recorded_search_is_looked_at_without_its_scheduler(tmp_path: Path) -> None:
    """Its file may be gone, and a dashboard runs nobody's code."""
    made = search("gone_since:Scheduler(after=2)", trials=2)
    records = [
        replace(ended(made.arm_of({"optimizer.lr": 0.1}), number, run_id=f"run {number}"), outcome=None)
        for number in (1, 2)
    ]
    curves = {"run 1": {1: 50.0}, "run 2": {1: 60.0}}
    preview = recorded_preview(made, settings_of(made, None), records, lambda own: curves, tmp_path, live=False)
    assert [each.state for each in preview.walk.tried.values()] == ["paused", "paused"]
    assert not preview.walk.is_over
