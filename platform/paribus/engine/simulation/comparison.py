"""A search on a table beside what it must beat with as many epochs: random search, and top-K after one epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from paribus.engine.schedulers import TopK
from paribus.engine.simulation.curves import Curves
from paribus.engine.simulation.simulated_search import SearchEnd, at_seed, simulate_search
from paribus.study.searches.search import Search


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean with the half width of its 95 % t interval, over n repeats."""

    value: float
    half_width: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """nan is left out; the half width of fewer than two is nan."""
        found = np.asarray(values, dtype=np.float64)
        found = found[~np.isnan(found)]
        n = len(found)
        half = special.stdtrit(n - 1, 0.975) * found.std(ddof=1) / n**0.5 if n > 1 else float("nan")
        return cls(value=float(found.mean()) if n else float("nan"), half_width=float(half), n=n)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One way to search, over repeats.

    Args:
        found: the mean at the end of what it takes for the best, over replicates that it did not see.
        behind: by how much that is worse than this search's at the same seed; 0 for itself.
        curse: by how much the value as searched is better than it.
        nothing: repeats in which no trial was trained to its end.
    """

    name: str
    trials: int
    epochs: Mean
    clock: Mean
    found: Mean
    behind: Mean
    curse: Mean
    nothing: int


def compare(search: Search, curves: Curves, *, workers: int, repeats: int) -> list[Compared]:
    """This search, then those that it must beat, with as many epochs as it took on average."""
    own = ends_of(search, curves, workers=workers, repeats=repeats)
    epochs = float(np.mean([end.epochs for end in own]))
    rivals = {
        "random, whole trials": _random(search, max(1, round(epochs / curves.num_epochs)), "none"),
        "random, top-K after 1 epoch": _random(search, top_k_trials(epochs, curves.num_epochs), "top_k"),
    }
    sign = search.primary.sign
    rows = [compared(f"{search.sampler}, {search.used_scheduler}", search.trials, own, own, sign)]
    for name, rival in rivals.items():
        ends = ends_of(rival, curves, workers=workers, repeats=repeats)
        rows.append(compared(name, rival.trials, ends, own, sign))
    return rows


def ends_of(search: Search, curves: Curves, *, workers: int, repeats: int) -> list[SearchEnd]:
    """The search at as many seeds."""
    return [simulate_search(at_seed(search, repeat), curves, workers=workers) for repeat in range(repeats)]


def compared(name: str, trials: int, ends: Sequence[SearchEnd], own: Sequence[SearchEnd], sign: int) -> Compared:
    """`ends` beside those of this search, seed by seed."""
    found, others = _of(ends, "found"), _of(own, "found")
    return Compared(
        name=name,
        trials=trials,
        epochs=Mean.of(_of(ends, "epochs").tolist()),
        clock=Mean.of(_of(ends, "clock").tolist()),
        found=Mean.of(found.tolist()),
        behind=Mean.of((sign * (others - found)).tolist()),
        curse=Mean.of((sign * (_of(ends, "searched") - found)).tolist()),
        nothing=int(np.isnan(found).sum()),
    )


def top_k_trials(epochs: float, num_epochs: int) -> int:
    """The most trials whose first epochs, and all others of the best tenth, come to no more than `epochs`."""
    trials = max(2, int(epochs / (1 + (num_epochs - 1) / 10)) + 10)
    while trials > 2 and trials + TopK().keep(trials) * (num_epochs - 1) > epochs:
        trials -= 1
    return trials


def _random(search: Search, trials: int, scheduler: str) -> Search:
    return replace(search, trials=trials, sampler="random", scheduler=scheduler, start=())


def _of(ends: Sequence[SearchEnd], name: str) -> NDArray[np.float64]:
    return np.array([getattr(end, name) for end in ends], dtype=np.float64)
