"""Ray Tune's own searchers by name, and subclasses of its Searcher, without a run of Tune's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crowd import EPOCHS, Crowd
from walked import Walker

from paribus import Choice, Float, Int, Search
from paribus.engine.options import Options
from paribus.engine.samplers.known import sampler_of
from paribus.engine.samplers.sampler import Proposal, Told
from paribus.engine.schedulers import scheduler_of
from paribus.engine.searches.search_preview import make_search_preview
from paribus.engine.searches.tried import Tried
from paribus.engine.searches.walk import Walk
from paribus.plugins import stand_beside
from paribus.study.designs.arms import StudyError
from paribus.study.searches.past import Past, PastResult
from paribus.study.searches.space import Levels
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import ServerProcess

OPTUNA = "ray.tune.search.optuna:OptunaSearch"
OWN = '''
import random

import numpy as np
from ray.tune.search import ConcurrencyLimiter, Searcher

PATHS = ("optimizer.lr", "data.batch_size")
OTHERS = {"model.dropout": 0.1, "optimizer.momentum": 0.7, "augment.pad": 2}


class Climber(Searcher):
    """Near the best that it has heard of, in the levels that the study has; keeps all that it is told."""

    def __init__(self, metric=None, mode=None, most=1000):
        super().__init__(metric=metric, mode=mode)
        self.told, self.best, self.most, self.asked, self.given = [], (0.1, 32), most, 0, {}

    def suggest(self, trial_id):
        if self.asked == self.most:
            return self.FINISHED
        self.asked += 1
        rate = min(max(self.best[0] * random.uniform(0.5, 2.0), 1e-3), 1.0)
        self.given[trial_id] = (rate, random.choice([16, 32]))
        return {**dict(zip(PATHS, self.given[trial_id])), **OTHERS}

    def on_trial_result(self, trial_id, result):
        self.told.append((trial_id, result["training_iteration"], result[self.metric]))

    def on_trial_complete(self, trial_id, result=None, error=False):
        self.told.append((trial_id, "error" if error else result[self.metric]))
        if not error and result[self.metric] > 60:
            self.best = self.given[trial_id]


class Hears(Climber):
    """Is told of what it did not propose."""

    def add_evaluated_point(self, parameters, value, error=False, pruned=False, intermediate_values=None):
        self.told.append((parameters[PATHS[0]], value))


def two_at_once():
    return ConcurrencyLimiter(Climber(metric="top1", mode="max"), max_concurrent=2)


class Waits(Climber):
    """Says nothing until what it said before has ended, as some do."""

    def suggest(self, trial_id):
        return super().suggest(trial_id) if len(self.given) % 3 or len(self.told) >= len(self.given) else None


class Stuck(Climber):
    def suggest(self, trial_id):
        return super().suggest(trial_id) if len(self.given) < 2 else None


class Unseeded(Climber):
    def suggest(self, trial_id):
        return {**super().suggest(trial_id), PATHS[0]: float(np.random.default_rng().uniform(0.1, 1.0))}


class Raises(Climber):
    def on_trial_complete(self, trial_id, result=None, error=False):
        raise KeyError(trial_id)


class Strange(Climber):
    said = {}

    def suggest(self, trial_id):
        return {**super().suggest(trial_id), **self.said}


class Unknown(Strange):
    said = {"lr": 0.1}


class Outside(Strange):
    said = {"optimizer.lr": 2.0}


class OffGrid(Strange):
    said = {"data.batch_size": 17}


class Loss(Climber):
    def __init__(self):
        super().__init__(metric="loss", mode="min")


def nothing():
    return object()
'''


@pytest.fixture(autouse=True)
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_searchers.py").write_text(OWN)
    stand_beside(folder)
    yield folder
    stand_beside()


def search(sampler: str, scheduler: str = "none", **fields: Any) -> Search:
    space = {
        "optimizer.lr": Float(1e-3, 1.0, log=True),
        "data.batch_size": Choice(16, 32),
        "model.dropout": Float(0.0, 0.3),
        "optimizer.momentum": Float(0.5, 0.9, step=0.1),
        "augment.pad": Int(1, 4),
    }
    given: dict[str, Any] = {"space": space, "trials": 20, "confirm": 0, "baseline": {}, **fields}
    return Search(name="rays", fixed={"budget": "9 epochs"}, sampler=sampler, scheduler=scheduler, **given)


def walk_of(made: Search) -> Walk:
    scheduler = scheduler_of(made.used_scheduler)
    return Walk(made, sampler_of(made), scheduler, 1 if scheduler.name == "none" else EPOCHS)


def levels(walk: Walk) -> dict[int, Any]:
    return {number: dict(each.levels) for number, each in sorted(walk.tried.items())}


def test_optunas_searcher_proposes_what_it_would_in_a_run_of_tunes() -> None:
    """Told the same, one after another: the searcher's own settings, to the digits that ours have."""
    import optuna
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    crowd = Crowd(walk_of(search(f"{OPTUNA}(seed=7)")), workers=1)
    crowd.on()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    alone = OptunaSearch(seed=7)
    config = {
        "optimizer.lr": tune.loguniform(1e-3, 1.0),
        "data.batch_size": tune.choice(["16", "32"]),
        "model.dropout": tune.uniform(0.0, 0.3),
        "optimizer.momentum": tune.randint(0, 5),
        "augment.pad": tune.randint(1, 5),
    }
    assert alone.set_search_properties("top1", "max", config)
    for number, each in sorted(crowd.walk.tried.items()):
        said = alone.suggest(str(number))
        assert said is not None
        assert each.levels["optimizer.lr"] == pytest.approx(said["optimizer.lr"], rel=1e-3)
        assert each.levels["data.batch_size"] == int(said["data.batch_size"])
        assert each.levels["model.dropout"] == pytest.approx(said["model.dropout"], rel=1e-3)
        assert each.levels["optimizer.momentum"] == pytest.approx(0.5 + 0.1 * said["optimizer.momentum"])
        assert each.levels["augment.pad"] == said["augment.pad"]
        result = {"top1": each.metrics["top1"], "training_iteration": EPOCHS}
        alone.on_trial_complete(str(number), result)
    assert len(crowd.walk.tried) == 20


@pytest.mark.parametrize(
    ("sampler", "scheduler"),
    [
        (OPTUNA, "none"),
        (OPTUNA, "asha(eta=3)"),
        ("own_searchers:Hears", "asha(eta=3)"),
        ("own_searchers:two_at_once", "none"),
        ("own_searchers:Waits", "none"),
    ],
)
def test_a_search_that_is_restored_proposes_as_the_undisturbed_one(sampler: str, scheduler: str) -> None:
    made = search(sampler, scheduler)
    undisturbed = Crowd(walk_of(made), workers=3)
    undisturbed.on()
    assert len(undisturbed.walk.tried) == 20
    for moment in (2, 7, 13):
        before = Crowd(walk_of(made), workers=3)
        before.on(moment)
        after = Crowd(walk_of(made), workers=3)
        after.walk.restore(_as_recorded(each, scheduler) for each in reversed(before.walk.tried.values()))
        states = {number: each.state for number, each in before.walk.tried.items()}
        for number in [number for number, state in states.items() if state == "running"]:
            assert after.walk.tried[number].state == "running"
        after.clock, after.running = before.clock, list(before.running)
        assert before.steps + after.on() == undisturbed.steps, moment
        assert levels(after.walk) == levels(undisturbed.walk), moment


def _as_recorded(each: Tried, scheduler: str) -> Tried:
    assert each.proposal is not None
    memory = json.loads(json.dumps(each.proposal.memory))
    seen = each.seen if scheduler != "none" else {}
    return replace(each, proposal=Proposal(each.levels, memory), seen=seen)


def test_it_hears_of_each_trial_what_tune_would_tell() -> None:
    made = search("own_searchers:Hears", "asha(eta=3)", constraints=("total_s < 5",))
    sampler = sampler_of(made)
    told: list[Told] = [
        Told(number=0, levels={**_first(sampler, made), "optimizer.lr": 0.5}, state="finished", values=(50.0,))
    ]
    results: list[dict[str, Any]] = [
        {"state": "finished", "values": (70.0,), "seen": {1: 60.0, 3: 65.0}, "excess": {"total_s": -1.0}},
        {"state": "finished", "values": (80.0,), "seen": {1: 60.0}, "excess": {"total_s": 1.0}},
        {"state": "stopped", "seen": {1: 40.0}},
        {"state": "failed"},
        {"state": "finished", "values": (float("nan"),)},
        {"state": "running", "seen": {1: 61.0}},
    ]
    for number, result in enumerate(results, start=1):
        proposal = sampler.propose(number, told)
        assert isinstance(proposal, Proposal)
        told.append(Told(number=number, levels=proposal.levels, memory=proposal.memory, **result))
    sampler.propose(7, told)
    assert sampler._searcher.told == [  # type: ignore[attr-defined]  # there is no other place to look
        (0.5, 50.0),
        *[("1", 1, 60.0), ("1", 3, 65.0), ("1", 70.0)],
        *[("2", 1, 60.0), ("2", "error")],
        *[("3", 1, 40.0), ("3", 40.0)],
        ("4", "error"),
        ("5", "error"),
        ("6", 1, 61.0),
    ]


def _first(sampler: Any, made: Search) -> dict[str, Any]:
    proposal = sampler_of(made).propose(0, [])
    assert isinstance(proposal, Proposal)
    return dict(proposal.levels)


def test_a_loss_is_told_as_it_is() -> None:
    made = search("own_searchers:Climber", metric="eval_loss", margin=0.1)
    sampler = sampler_of(made)
    first = sampler.propose(0, [])
    assert isinstance(first, Proposal)
    sampler.propose(1, [Told(number=0, levels=first.levels, memory=first.memory, state="finished", values=(-0.7,))])
    assert sampler._searcher.told == [("0", 0.7)]  # type: ignore[attr-defined]


def test_whoever_asks_the_same_again_hears_the_same() -> None:
    """A look at whether a search is over asks for the next setting, which is not begun."""
    made = search("own_searchers:Climber")
    walk, other = walk_of(made), walk_of(made)
    crowd, looked_at = Crowd(walk, workers=2), Crowd(other, workers=2)
    crowd.on()
    for _ in range(20):
        looked_at.on(1)
        _ = other.is_over
        other.sampler.propose(99, other.told()[:3])
    assert levels(other) == levels(walk)


def test_a_result_that_was_made_anew_is_told_as_one_of_elsewhere() -> None:
    made = search("own_searchers:Hears")
    sampler, told = sampler_of(made), list[Told]()
    for number, value in enumerate((61.0, 50.0)):
        proposal = sampler.propose(number, told)
        assert isinstance(proposal, Proposal)
        told.append(
            Told(number=number, levels=proposal.levels, memory=proposal.memory, state="finished", values=(value,))
        )
    other = [replace(told[0], values=(40.0,)), told[1]]  # now it would not have stayed near the first
    sampler.propose(2, other)
    assert sampler._searcher.told == [  # type: ignore[attr-defined]
        ("0", 40.0),
        ("1", "error"),
        (told[1].levels["optimizer.lr"], 50.0),
    ]


@pytest.mark.parametrize(
    ("sampler", "scheduler", "count", "why"),
    [
        ("own_searchers:Climber(most=5)", "none", 5, "the space has no further setting"),
        ("own_searchers:Stuck", "none", 2, "own_searchers:Stuck gives no further setting, though nothing runs"),
        # It waits for trials to end that are paused, and they wait for others to rank them among.
        ("own_searchers:two_at_once", "asha(eta=3)", 2, "own_searchers:two_at_once gives no further setting"),
    ],
)
def test_a_searcher_that_has_no_more_ends_the_search(sampler: str, scheduler: str, count: int, why: str) -> None:
    crowd = Crowd(walk_of(search(sampler, scheduler)), workers=2)
    crowd.on()
    assert crowd.walk.next() == "over"
    assert len(crowd.walk.tried) == count
    assert crowd.walk.ended_by.startswith(why)


def test_a_limit_of_its_own_is_kept() -> None:
    walk = walk_of(search("own_searchers:two_at_once"))
    assert [walk.next() is None for _ in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    ("sampler", "sentence"),
    [
        ("own_searchers:Unknown", "the sampler Unknown proposes 'lr', which is no field of the space: optimizer.lr"),
        ("own_searchers:Outside", "proposes optimizer.lr = 2.0, which is outside Float(0.001, 1, log=True)"),
        ("own_searchers:OffGrid", "proposes data.batch_size = 17, which is outside Choice(16, 32)"),
        ("own_searchers:Unseeded", "proposes another setting each time it is made"),
        ("own_searchers:Loss", "has metric = 'loss' of its own, not 'top1'"),
        ("own_searchers:Climber(mode='max')", "mode = 'max': the search says what is best"),
        ("own_searchers:Climber(least=3)", "cannot be made: Climber.__init__() got an unexpected keyword"),
        ("own_searchers:Climbers", "has no 'Climbers'; did you mean 'Climber'?"),
        ("own_searchers:nothing", "makes a object, which is no Searcher of ray.tune.search"),
        ("own_searcher:Climber", "there is no module 'own_searcher'"),
        ("ray.tune.search.hyperopt:HyperOptSearch", "HyperOpt must be installed! Run `pip install hyperopt`"),
        ("ray.tune.search.bohb:TuneBOHB", "`pip install hpbandster ConfigSpace`"),
        ("ray.tune.search.basic_variant:BasicVariantGenerator", "which is no Searcher of ray.tune.search"),
    ],
)
def test_what_cannot_propose_is_refused_by_the_plan(sampler: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as refused:
        make_search_preview(search(sampler), tmp_path, [], lambda own: {}, Options())
    assert sentence in str(refused.value)


def test_several_objectives_and_populations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="follows one objective"):
        sampler_of(search(OPTUNA, against=("num_params",)))
    with pytest.raises(StudyError, match="draws the first generation alone"):
        make_search_preview(search(OPTUNA, "pbt(interval=3)"), tmp_path, [], lambda own: {}, Options())


def test_what_a_searcher_raises_ends_the_search_in_a_sentence() -> None:
    with pytest.raises(StudyError, match="the sampler Raises raised in on_trial_complete: KeyError: '0'"):
        Crowd(walk_of(search("own_searchers:Raises")), workers=1).on()


def test_the_plan_says_what_a_searcher_does_not_hear_of(tmp_path: Path) -> None:
    row = PastResult(source="results.csv", levels={"optimizer.lr": 0.1}, metrics={"top1": 50.0})
    made = search(OPTUNA)
    start = walk_of(made).sampler.propose(0, [])
    assert isinstance(start, Proposal)
    made = replace(made, start=(start.levels,), past=Past(rows=(row,), left_out={}, notes=()))
    assert sampler_of(made).notes(made) == []  # type: ignore[attr-defined]
    note = "Climber is told of none of the 2 settings that it did not propose itself"
    assert sampler_of(replace(made, sampler="own_searchers:Climber")).notes(made) == [note]  # type: ignore[attr-defined]


def best_at_a_fifth(levels: Levels) -> float:
    rate = levels["optimizer.lr"]
    assert isinstance(rate, float)
    return 90 - 40 * abs(rate - 0.2)


@pytest.mark.cluster
def test_a_driver_that_is_gone_goes_on_from_the_ledger_with_the_same_settings_and_decisions(
    shelf_server: ServerProcess, tmp_path: Path
) -> None:
    walker = Walker(shelf_server.uri, tmp_path)
    space = {"optimizer.lr": Float(1e-3, 1.0, log=True), "data.batch_size": Choice(16, 32)}
    asha = "ray.tune.schedulers:ASHAScheduler(grace_period=1, reduction_factor=2)"
    made = replace(search(OPTUNA, asha, space=space, trials=8), fixed={"budget": "3 epochs"})
    for most in (3, 6, 100):
        walker.walk(replace(made, name="named_broken"), best_at_a_fifth, most=most)
    walker.walk(replace(made, name="named_whole"), best_at_a_fifth)
    with Ledger(shelf_server.uri) as ledger:
        broken, whole = (
            {each.replicate: (each.trial_id, each.epoch, each.metrics.get("top1")) for each in ledger.trials(name)}
            for name in ("named_broken", "named_whole")
        )
    assert broken == whole
    assert len(whole) == 8
    assert len({epoch for _, epoch, _ in whole.values()}) > 1, "nobody was stopped"
