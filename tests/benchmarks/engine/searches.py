"""Best found with equal epochs on digits_curves.parquet: every sampler and scheduler beside what they must beat.

    python tests/benchmarks/engine/searches.py [SEEDS] [EPOCHS] [SAMPLER,SCHEDULER ...]

Ours run through the real walk (`paribus simulate`). Ray's are its own OptunaSearch and ASHAScheduler, told what Tune
would tell them, on the same clock and without Tune. Of each way the number of trials is fitted, on other seeds, so
that it takes about as many epochs as the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ray_rival import ray_search

from paribus import Search
from paribus.engine.simulation.comparison import Mean
from paribus.engine.simulation.curves import Curves, read_curves
from paribus.engine.simulation.simulated_search import SearchEnd, at_seed, simulate_search
from paribus.study.study_file import load_study

TABLES = Path(__file__).parents[2] / "tables"
# Of each scheduler about the epochs that a trial takes on average: where the fitting of trials to epochs begins.
USUAL = {"none": 11, "top_k": 2.1, "asha": 3.3, "successive_halving": 2.8, "hyperband": 5, "median": 4.5}
OURS = (
    *(("tpe", scheduler) for scheduler in ("none", "asha", "top_k")),
    *((sampler, "asha") for sampler in ("random", "sobol", "nsga2")),
    *(("tpe", scheduler) for scheduler in ("successive_halving", "hyperband", "median")),
    *(("random", scheduler) for scheduler in ("successive_halving", "hyperband", "median")),
    *((sampler, "none") for sampler in ("sobol", "nsga2", "cmaes", "gp")),
)
RAY, RANDOM, TOP_K = "Ray: OptunaSearch, ASHA", "random, none", "random, top_k"
WORKERS = 8
Way = Callable[[Search, Curves], SearchEnd]


def ours(search: Search, curves: Curves) -> SearchEnd:
    return simulate_search(search, curves, workers=WORKERS)


def rays(search: Search, curves: Curves) -> SearchEnd:
    return ray_search(search, curves, workers=WORKERS)


def ends_of(way: Way, search: Search, curves: Curves, seeds: Sequence[int]) -> list[SearchEnd]:
    return [way(at_seed(search, seed), curves) for seed in seeds]


def fitted(way: Way, search: Search, curves: Curves, epochs: int) -> Search:
    """As many trials as take that many epochs on average, on seeds that are not compared."""
    found = replace(search, trials=max(9, round(epochs / USUAL[search.scheduler])))
    for _ in range(2):
        mean = float(np.mean([end.epochs for end in ends_of(way, found, curves, range(10_000, 10_012))]))
        found = replace(found, trials=max(9, round(found.trials * epochs / mean)))
    return found


def main(seeds: int, epochs: int, named: Sequence[str]) -> None:
    search = load_study(str(TABLES / "digits_search.py"))
    assert isinstance(search, Search)
    curves = read_curves(str(TABLES / "digits_curves.parquet"), search.metric)
    finals = np.where(np.isnan(curves.values[:, :, -1]), np.nan, curves.values[:, :, -1]).mean(axis=1)
    print(f"{len(curves.settings)} settings, {curves.num_replicates} replicates; best mean {np.nanmax(finals):.4f}")
    chosen = [(sampler, scheduler) for sampler, _, scheduler in (name.partition(",") for name in named)]
    compare(search, curves, epochs, range(seeds), chosen or OURS)


def compare(
    search: Search, curves: Curves, epochs: int, seeds: Sequence[int], chosen: Sequence[tuple[str, str]]
) -> None:
    ways = {", ".join(way): way for way in (("random", "none"), ("random", "top_k"), *chosen)}
    rivals: dict[str, np.ndarray] = {}
    print(f"\n| about {epochs} epochs | trials | epochs | found | against random | against top-K | against Ray's |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in (RANDOM, TOP_K, RAY, *(name for name in ways if name not in (RANDOM, TOP_K))):
        sampler, scheduler = ways.get(name, ("tpe", "asha"))
        way = rays if name == RAY else ours
        sized = fitted(way, replace(search, sampler=sampler, scheduler=scheduler), curves, epochs)
        ends = ends_of(way, sized, curves, seeds)
        found = np.array([end.found for end in ends])
        rivals |= {name: found} if name in (RANDOM, TOP_K, RAY) else {}
        against = " | ".join(shown(found - rivals[each]) if each in rivals else "-" for each in (RANDOM, TOP_K, RAY))
        spent, nothing = np.mean([end.epochs for end in ends]), int(np.isnan(found).sum())
        note = f" {nothing} found nothing" if nothing else ""
        print(f"| {name} | {sized.trials} | {spent:.0f} | {np.nanmean(found):.4f}{note} | {against} |", flush=True)


def shown(differences: np.ndarray) -> str:
    mean = Mean.of(differences.tolist())
    low, high = mean.value - mean.half_width, mean.value + mean.half_width
    return f"{mean.value:+.4f} [{low:+.4f}, {high:+.4f}]"


if __name__ == "__main__":
    given = [*sys.argv[1:], *("50", "240")[len(sys.argv) - 1 :]]
    main(int(given[0]), int(given[1]), given[2:])
