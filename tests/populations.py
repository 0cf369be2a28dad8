"""Populations that are walked without training, by made values, and what the ledger would have of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from paribus import Choice, Float, Search
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import scheduler_of
from paribus.engine.searches.population import Population, walk_of
from paribus.engine.searches.search_records import trial_of
from paribus.engine.searches.tried import Go, Tried
from paribus.study.searches.population import Lineage
from paribus.study.searches.space import Levels
from paribus.tracking.trials.record import TrialRecord
from paribus.tracking.trials.stored import from_mlflow, to_mlflow

RATE = {"optimizer.lr": Float(1e-3, 1.0, log=True), "optimizer.nesterov": Choice(True, False)}
EPOCHS, MEMBERS = 9, 6
PBT = "pbt(interval=3, quantile=0.34)"
Value = Callable[[int, Levels, int], float | None]


def search(**fields: Any) -> Search:
    usual = {"name": "population", "space": RATE, "trials": MEMBERS, "fixed": {"budget": "9 epochs"}, "confirm": 0}
    return Search(**{**usual, "scheduler": PBT, **fields})


def population(made: Search, known: list[Tried] | None = None) -> Population:
    walk = walk_of(made, EPOCHS, sampler_of(made), scheduler_of(made.scheduler), known or [])
    assert isinstance(walk, Population)
    return walk


def by_rate(number: int, levels: Levels, epoch: int) -> float:
    """Best at a rate of 0.03, better with every epoch, and of no two members the same."""
    rate = levels["optimizer.lr"]
    assert isinstance(rate, float)
    return 90 - 10 * abs(math.log10(rate / 0.03)) - 20 / epoch + number / 1000


def train(walk: Population, go: Go, value: Value = by_rate) -> None:
    """What a worker and the driver's callback would say of a step; None: it diverges there."""
    number = go.tried.number
    begins = walk.generation_of(number) * walk.pbt.interval
    for epoch in range(max(begins, *go.tried.seen, 1), (go.until or EPOCHS) + 1):
        found = value(number, go.tried.levels, epoch)
        if found is None:
            walk.ended(number, "diverged", {}, seconds=1.0, reason=f"at epoch {epoch}")
            return
        walk.seen(number, epoch, found)
    if go.until:
        walk.paused(number, go.until, seconds=1.0)
    else:
        walk.ended(number, "finished", {"top1": walk.tried[number].seen[EPOCHS]}, seconds=1.0)


def steps(walk: Population, value: Value = by_rate) -> Iterator[tuple[int, int | None, Levels]]:
    """Walk on one by one: the number, the parent and the setting of each step."""
    while isinstance(go := walk.next(), Go):
        train(walk, go, value)
        cut(walk)
        yield go.tried.number, go.tried.parent, go.tried.levels


def cut(walk: Population) -> None:
    for number, reason in walk.hopeless().items():
        walk.cut(number, reason)


def recorded(made: Search, tried: Mapping[int, Tried], digest: str, *, is_over: bool = False) -> list[TrialRecord]:
    """What the ledger has of these trials, read back from MLflow's form; whoever was stopped is told so at the end."""
    ids: dict[int, str] = {}
    found = []
    for number, each in sorted(tried.items()):
        parent = "" if each.parent is None else ids[each.parent]
        trial = trial_of(made, number, each.levels, lambda recipe: digest, parent)
        ids[number] = trial.id
        lineage = {}
        if each.parent is not None:
            lineage = Lineage(parent=each.parent, trial=parent, code="c", epochs=3 * (number // MEMBERS)).as_dict()
        record = TrialRecord(
            trial_id=trial.id,
            study=made.name,
            arm=trial.arm,
            arm_name=trial.arm.name,
            replicate=trial.replicate,
            run_id=f"run-{number}",
            lineage=lineage,
            outcome=each.outcome if is_over or each.state == "finished" else None,
            metrics=each.metrics,
        )
        found.append(from_mlflow(to_mlflow(record)))
    return found
