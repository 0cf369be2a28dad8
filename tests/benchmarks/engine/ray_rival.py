"""Ray's OptunaSearch and ASHAScheduler on a table of curves: told what Tune tells them, on a simulated clock."""

from __future__ import annotations

import heapq
import math
import warnings
from types import SimpleNamespace
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from paribus import Choice, Float, Search
from paribus.engine.samplers.known import sampler_of
from paribus.engine.simulation.curves import Curves
from paribus.engine.simulation.on_table import OnTable
from paribus.engine.simulation.simulated_search import SearchEnd
from paribus.recipe.seeds import key


def ray_search(search: Search, curves: Curves, *, workers: int) -> SearchEnd:
    """`search.trials` trials; ASHA stops as Tune's does, eta 3 from epoch 1, and OptunaSearch has its defaults.

    It believes in its own proposals: a trial's result is that of the nearest setting of the table. The best is the one
    with the best last value among those that were trained to the end.
    """
    return _Ray(search, curves).run(workers)


class _Ray:
    def __init__(self, search: Search, curves: Curves) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.search, self.curves = search, curves
        self.table = OnTable(sampler_of(search), search, curves)
        space = {path: _distribution(domain) for path, domain in search.domains}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.searcher = OptunaSearch(space, metric="value", mode="max", seed=search.seed)
        self.scheduler = ASHAScheduler(
            metric="value", mode="max", max_t=curves.num_epochs, grace_period=1, reduction_factor=3
        )
        self.epochs, self.places, self.trials = 0, {}, {}
        self.ends: list[tuple[float, int]] = []
        self.counts = {"whole": 0, "cut": 0, "failed": 0}

    def run(self, workers: int) -> SearchEnd:
        running: list[tuple[float, int, int]] = []  # when its next epoch ends, its number, that epoch
        begun, now = 0, 0.0
        while running or begun < self.search.trials:
            while len(running) < workers and begun < self.search.trials:
                self._begin(begun)
                heapq.heappush(running, (now + self._seconds(begun, 1), begun, 1))
                begun += 1
            now, number, epoch = heapq.heappop(running)
            if self._goes_on(number, epoch):
                heapq.heappush(running, (now + self._seconds(number, epoch + 1), number, epoch + 1))
        best = max(self.ends, default=(math.nan, -1))
        found = self.curves.other_mean(*self.places[best[1]]) if self.ends else math.nan
        searched = self.search.primary.sign * best[0]
        return SearchEnd(found=found, searched=searched, epochs=self.epochs, clock=now, **self.counts)

    def _begin(self, number: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            config = self.searcher.suggest(str(number))
        assert isinstance(config, dict)
        setting = self.table.index_of(self.table.nearest(config))
        self.places[number] = (setting, key("simulated", self.search.seed, number) % self.curves.num_replicates)
        self.trials[number] = SimpleNamespace(trial_id=str(number))
        self.scheduler.on_trial_add(None, self.trials[number])

    def _seconds(self, number: int, epoch: int) -> float:
        return float(self.curves.seconds[(*self.places[number], epoch - 1)])

    def _goes_on(self, number: int, epoch: int) -> bool:
        setting, replicate = self.places[number]
        self.epochs += 1
        value = self.search.primary.sign * float(self.curves.values[setting, replicate, epoch - 1])
        last, outcome = epoch == self.curves.num_epochs, self.curves.outcomes[setting][replicate]
        if math.isnan(value) or (last and outcome != "finished"):
            self.counts["failed"] += 1
            self.searcher.on_trial_complete(str(number), error=True)
            return False
        result = {"value": value, "training_iteration": epoch}
        stops = self.scheduler.on_trial_result(None, self.trials[number], result) == "STOP"
        if not stops and not last:
            self.searcher.on_trial_result(str(number), result)
            return True
        self.scheduler.on_trial_complete(None, self.trials[number], result)
        self.searcher.on_trial_complete(str(number), result)
        self.counts["whole" if last else "cut"] += 1
        if last:
            self.ends.append((value, number))
        return False


def _distribution(domain: Any) -> Any:
    if isinstance(domain, Choice):
        return CategoricalDistribution(list(domain.options))
    assert isinstance(domain, Float)
    return FloatDistribution(domain.low, domain.high, log=domain.log)
