"""10,000 trials by 500 workers on the simulated clock: CPU seconds of the scheduler alone and of a whole search.

    python tests/benchmarks/engine/bench_scheduler.py

The scheduler alone is told random values and says who goes on and who is cut, at every event. The search has the walk,
the random sampler, a recipe checked for each proposal, and the table of curves, on which settings repeat; or random
values in its place, where each of the 10,000 recipes is another one.
"""

import heapq
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from paribus import Search
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import Standing, scheduler_of
from paribus.engine.searches.tried import Go
from paribus.engine.searches.walk import Walk
from paribus.engine.simulation.curves import read_curves
from paribus.engine.simulation.simulated_search import at_seed, simulate_search
from paribus.study.study_file import load_study

TABLES = Path(__file__).parents[2] / "tables"
TRIALS, WORKERS, EPOCHS = 10_000, 500, 12


def scheduled(name: str) -> tuple[float, int]:
    """CPU seconds, and how many trials trained to their end."""
    rng, start = np.random.default_rng(0), time.process_time()
    standing = Standing(scheduler_of(name), epochs=EPOCHS, planned=TRIALS)
    running: list[tuple[float, int, int]] = []
    begun = whole = 0
    now = 0.0
    while True:
        while len(running) < WORKERS:
            if (found := standing.promote()) is not None:
                number, until = found
                standing.go_on(number)
            elif begun < TRIALS:
                number, until = begun, standing.start(begun)
                begun += 1
            else:
                break
            heapq.heappush(running, (now + until * rng.uniform(0.5, 2.0), number, until))
        if not running:
            return time.process_time() - start, whole
        now, number, epoch = heapq.heappop(running)
        standing.pause(number, epoch, float(rng.standard_normal()))
        whole += epoch == EPOCHS
        for each in standing.cut():
            standing.drop(each)


def anew(search: Search) -> tuple[float, int]:
    """CPU seconds of a walk on no table, so that no setting comes twice, and how many trials trained to their end."""
    rng, start = np.random.default_rng(0), time.process_time()
    walk = Walk(search, sampler_of(search), scheduler_of(search.scheduler), EPOCHS)
    running: list[tuple[float, int, int]] = []
    now = 0.0
    while True:
        while len(running) < WORKERS and isinstance(go := walk.next(), Go):
            heapq.heappush(running, (now + rng.uniform(0.5, 2.0), go.tried.number, go.until or EPOCHS))
        if not running:
            return time.process_time() - start, sum(each.state == "finished" for each in walk.tried.values())
        now, number, epoch = heapq.heappop(running)
        value = float(rng.standard_normal())
        if epoch == EPOCHS:
            walk.ended(number, "finished", {search.metric: value})
        else:
            walk.seen(number, epoch, value)
            walk.paused(number, epoch)
        for each, reason in walk.hopeless().items():
            walk.cut(each, reason)


def memory() -> float:
    """MiB, the most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main() -> None:
    print("| scheduler alone | CPU seconds | trained to the end |\n|---|---|---|")
    for name in ("asha", "successive_halving", "hyperband", "top_k", "median"):
        seconds, whole = scheduled(name)
        print(f"| {name} | {seconds:.1f} | {whole:,} |", flush=True)
    search = load_study(str(TABLES / "digits_search.py"))
    assert isinstance(search, Search)
    curves = read_curves(str(TABLES / "digits_curves.parquet"), search.metric)
    large = at_seed(replace(search, sampler="random", scheduler="asha", trials=TRIALS), 0)
    before, start = memory(), time.process_time()
    end = simulate_search(large, curves, workers=WORKERS)
    seconds = time.process_time() - start
    print(f"\na whole search, random and asha: {seconds:.1f} CPU seconds, {end.whole:,} trials trained to the end; ")
    seconds, whole = anew(large)
    print(f"the same with 10,000 recipes: {seconds:.1f} CPU seconds, {whole:,} trials trained to the end; ")
    print(f"peak memory {memory():.0f} MiB, of which {memory() - before:.0f} came with it")


if __name__ == "__main__":
    main()
