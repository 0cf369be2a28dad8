"""Examples that one arm has right and the other wrong, replicate after replicate; and how many are so by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.exploratory.classes import Pair
from paribus.metrics.examples import Examples

# The share of the replicates in which an example has to change sides, net, to be called consistent.
CONSISTENT: Final = 0.8
MIN_PAIRS: Final = 3
# From 2 ** 10 ways to swap the sides on, as many are drawn.
_MOST_SWAPS: Final = 512


@dataclass(frozen=True, kw_only=True)
class Flip:
    """One example, by its place: in how many of the replicates each side has it right, and what each mostly says."""

    place: int
    label: int
    arm_right: int
    baseline_right: int
    arm_says: int
    baseline_says: int


@dataclass(frozen=True, kw_only=True)
class Flips:
    """What flips over `n` replicates: `gained` are right in the arm and wrong in its baseline, `lost` the other way.

    `by_chance` is how many would flip so if the two sides of each replicate were dealt out by a coin, the mean over all
    such swaps; `p` the share of swaps that make as many. Both are None below three replicates.
    """

    n: int
    num_examples: int
    gained: tuple[Flip, ...]
    lost: tuple[Flip, ...]
    by_chance: float | None
    p: float | None


def flips(pairs: Sequence[Pair]) -> Flips:
    """The examples that flip in at least four fifths of the replicates, net of those in which they flip back."""
    n = len(pairs)
    if not n:
        return Flips(n=0, num_examples=0, gained=(), lost=(), by_chance=None, p=None)
    right = np.stack([[_right(side) for side in pair] for pair in pairs]).astype(np.int64)  # (n, 2, examples)
    differences = right[:, 0] - right[:, 1]
    least = math.ceil(CONSISTENT * n)
    net = differences.sum(axis=0)
    gained, lost = (_flips(np.flatnonzero(sign * net >= least), right, pairs) for sign in (1, -1))
    by_chance, p = _by_chance(differences, least) if n >= MIN_PAIRS else (None, None)
    return Flips(n=n, num_examples=len(net), gained=gained, lost=lost, by_chance=by_chance, p=p)


def _right(examples: Examples) -> NDArray[np.bool_]:
    return np.asarray(examples.column("predicted") == examples.column("label"))


def _flips(places: NDArray[np.int64], right: NDArray[np.int64], pairs: Sequence[Pair]) -> tuple[Flip, ...]:
    labels = pairs[0][0].column("label")
    said = [np.stack([pair[side].column("predicted") for pair in pairs]) for side in (0, 1)]
    totals = right.sum(axis=0)
    order = sorted(map(int, places), key=lambda at: (-abs(int(totals[0, at] - totals[1, at])), at))
    return tuple(
        Flip(
            place=at,
            label=int(labels[at]),
            arm_right=int(totals[0, at]),
            baseline_right=int(totals[1, at]),
            arm_says=int(np.bincount(said[0][:, at]).argmax()),
            baseline_says=int(np.bincount(said[1][:, at]).argmax()),
        )
        for at in order
    )


def _by_chance(differences: NDArray[np.int64], least: int) -> tuple[float, float]:
    """The mean count over all swaps of the two sides within replicates, and the share of swaps with as many."""
    n = len(differences)
    # Swapping every replicate turns gains into losses and changes no count: half of the swaps are enough.
    if 2 ** (n - 1) <= _MOST_SWAPS:
        signs = np.array([(1, *rest) for rest in product((1, -1), repeat=n - 1)])
    else:
        drawn = np.random.default_rng(0).choice((1, -1), (_MOST_SWAPS - 1, n))
        signs = np.vstack([np.ones((1, n), dtype=np.int64), drawn])
    counts = np.array([(np.abs(sign @ differences) >= least).sum() for sign in signs])
    return float(counts.mean()), float((counts >= counts[0]).mean())
