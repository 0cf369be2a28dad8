#!/usr/bin/env python
"""Ray Tune's schedulers inside a run of Tune's own, and as a search of ours asks them, on the same curves.

    python tests/benchmarks/engine/tune_beside.py [TRIALS]

Tune trains nothing either: its trainable reports a table's values. What it told its scheduler is told in the same order
to ours, and the two must end the same trials after the same epochs.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray import tune

from paribus import Float, Search
from paribus.engine.schedulers import TuneScheduler, TuneStanding, scheduler_of
from paribus.engine.searches.tried import Tried
from paribus.execution.executor import cluster

EPOCHS = 9
NAMED = (
    "ray.tune.schedulers:ASHAScheduler(grace_period=1, reduction_factor=3)",
    "ray.tune.schedulers:MedianStoppingRule(grace_period=1, min_samples_required=2)",
)


class Reports(tune.Trainable):
    """Reports the curve that it is given, an epoch a step."""

    def setup(self, config: dict[str, Any]) -> None:
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.curve, self.at = new_config["curve"], 0
        return True

    def step(self) -> dict[str, Any]:
        self.at += 1
        time.sleep(0.3)  # so that trials overlap, whatever it takes to start one
        return {"top1": self.curve[self.at - 1], "done": self.at == EPOCHS}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        (Path(checkpoint_dir) / "at").write_text(str(self.at))

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        self.at = int((Path(checkpoint_dir) / "at").read_text())


class Curves(tune.search.Searcher):
    """Hands out the curves one by one, as a searcher does that learns."""

    def __init__(self, curves: list[list[float]]) -> None:
        super().__init__()
        self.curves, self.numbers = curves, {}

    def suggest(self, trial_id: str) -> Any:
        if len(self.numbers) == len(self.curves):
            return tune.search.Searcher.FINISHED
        self.numbers[trial_id] = len(self.numbers)
        return {"curve": self.curves[self.numbers[trial_id]], "number": self.numbers[trial_id]}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        pass

    def save(self, checkpoint_path: str) -> None:
        pass

    def restore(self, checkpoint_path: str) -> None:
        pass


@dataclass
class Events(tune.Callback):
    """What Tune told, in its order: (number, epoch), epoch 0 where a trial began."""

    told: list[tuple[int, int]] = field(default_factory=list)

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        event = (trial.config["number"], 0)
        if event not in self.told:
            self.told.append(event)

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        self.told.append((trial.config["number"], result["training_iteration"]))


def in_tune(named: str, curves: list[list[float]]) -> list[tuple[int, int]]:
    """The events of a run of Tune's own."""
    chosen = scheduler_of(named)
    assert isinstance(chosen, TuneScheduler)
    events = Events()
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            Reports,
            tune_config=tune.TuneConfig(
                scheduler=chosen.made(EPOCHS),
                metric="top1",
                mode="max",
                search_alg=Curves(curves),
                num_samples=-1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0, callbacks=[events]),
        ).fit()
    return events.told


def in_ours(named: str, curves: list[list[float]], told: list[tuple[int, int]]) -> tuple[dict[int, int], list[str]]:
    """The last epoch of each trial, told the same; and where ours would not have gone on."""
    search = Search(
        name="beside",
        space={"optimizer.lr": Float(0.1, 1.0)},
        trials=len(curves),
        confirm=0,
        baseline={},
        fixed={"budget": f"{EPOCHS} epochs"},
    )
    chosen = scheduler_of(named)
    assert isinstance(chosen, TuneScheduler)
    tried = {number: Tried(number=number, levels={"optimizer.lr": 0.1}) for number in range(len(curves))}
    standing = TuneStanding(chosen, search, tried, epochs=EPOCHS, planned=len(curves))
    last, strange = {}, []
    for number, epoch in told:
        if not epoch:
            standing.start(number)
            continue
        if epoch > 1:
            if number in standing.cut():
                strange.append(f"#{number} is cut before epoch {epoch}")
            standing.go_on(number)
        standing.pause(number, epoch, curves[number][epoch - 1])
        last[number] = epoch
    waits = sorted(set(last) - set(standing.cut()) - {number for number, epoch in last.items() if epoch == EPOCHS})
    return last, [*strange, *(f"#{number} is not cut after epoch {last[number]}" for number in waits)]


def main(trials: int) -> None:
    """Print, of each scheduler, how many trials ended when, and where the two differ."""
    drawn = random.Random(0)
    curves = [
        [base * (1 - 0.8**epoch) + drawn.gauss(0, 2) for epoch in range(1, EPOCHS + 1)]
        for base in (drawn.uniform(40, 90) for _ in range(trials))
    ]
    os.environ.pop("RAY_ADDRESS", None)
    with cluster(4):
        for named in NAMED:
            began = time.monotonic()
            told = in_tune(named, curves)
            took_s = time.monotonic() - began
            last, strange = in_ours(named, curves, told)
            counts = {epoch: list(last.values()).count(epoch) for epoch in sorted(set(last.values()))}
            found = "; ".join(strange) or "no difference"
            print(f"{named}: {len(told)} events, {took_s:.1f} s; trials by last epoch {counts}; {found}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 27)
