"""Other planned looks, and other ways to spend the error over them, against a fixed number of replicates.

    python tests/benchmarks/analysis/other_looks.py [STUDIES]

What `adaptive.py` asks of one study at a time, for all at once: the rule is the real one, the stopping is that of
`stages.py` written for arrays, and the first studies of each setting go through `stage_of` too, which must agree.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from adaptive import (
    BETTER,
    EFFECTS,
    EQUIVALENT,
    FIXED,
    MARGIN,
    SMALL_DIFFERENCE,
    TOP1,
    UNRESOLVED,
    WORSE,
    data_of,
    draw,
    judge,
)
from numpy.typing import NDArray
from scipy import special

from paribus import Adaptive, Study
from paribus.analysis.stages import FUTILE, judge_at, stage_of, trials_asked
from paribus.analysis.statistics import spending
from paribus.analysis.statistics.spending import PlannedLooks, level_at
from paribus.analysis.verdicts import Judged

OLD = (4, 6, 9, 13, 20, 30)
DENSE = (4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 43, 60)
WAYS = (
    (OLD, 1.5),
    ((4, 5, 6, 7, 9, 11, 13, 16, 20, 25, 30), 1.5),
    ((4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40), 1.5),
    ((4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40), 1.0),
    (DENSE, 1.5),
    (DENSE, 1.0),
    (DENSE, 0.75),
)
AGREES = 4
# Beyond it the number of replicates hangs on the rarest of the simulated studies: a design that resolves more is
# compared with the fixed one that resolves so much.
MOST = 0.99


@dataclass(frozen=True, kw_only=True)
class Found:
    """Per study (S,): trials, the share of its contrasts resolved and covered, whether a verdict is false."""

    trials: NDArray[np.int64]
    resolved: NDArray[np.float64]
    covered: NDArray[np.float64]
    false: NDArray[np.bool_]
    codes: NDArray[np.int8]


def chance(judged: Judged, at: NDArray[np.int64], looks: tuple[int, ...], contrasts: int) -> NDArray[np.float64]:
    """As `stages._chance_of_verdict` has it, where nothing fails."""
    found, last = judged.moments, looks[-1]
    n, final = np.maximum(found.n, 1), last + 1e-9
    far_level, near_level = (level_at(looks, -1, 0.05 / contrasts, sides=sides) for sides in (2, 1))
    se, spread = found.sd / final**0.5, found.sd * np.sqrt(1 / n - 1 / final)
    far = special.stdtrit(final - 1, 1 - far_level / 2) * se
    near = MARGIN - special.stdtrit(final - 1, 1 - near_level) * se
    mean = found.mean
    resolved = special.ndtr((mean - far) / spread) + special.ndtr((-mean - far) / spread)
    same = np.where(near > 0, special.ndtr((near - mean) / spread) - special.ndtr((-near - mean) / spread), 0.0)
    return np.asarray(np.minimum(resolved + same, 1.0))


def staged(deltas: NDArray[np.float64], effect: float, looks: tuple[int, ...]) -> Found:
    """Studies of deltas (S, A, R), each to its end."""
    going = np.ones(deltas.shape[:2], dtype=bool)
    at = np.full(deltas.shape[:2], -1)
    order, sizes = np.arange(deltas.shape[2]), np.array((0, *looks))
    futile = np.zeros_like(going)
    for index in range(len(looks)):
        at[going] = index
        seen = np.where(order < sizes[at + 1][..., None], deltas, np.nan)
        judged = judge(
            seen, margin=MARGIN, resolution=TOP1.resolution(10**9), planned=PlannedLooks(replicates=looks, at=at)
        )
        if index + 1 == len(looks):
            break
        open_ = (judged.codes == UNRESOLVED) & ~futile
        futile |= open_ & (chance(judged, at, looks, deltas.shape[1]) < FUTILE)
        going = open_ & ~futile
    bad = (EQUIVALENT, SMALL_DIFFERENCE, WORSE) if effect >= MARGIN else (WORSE,) if effect else (BETTER, WORSE)
    own = sizes[at + 1]
    return Found(
        trials=own.sum(axis=1) + own.max(axis=1),
        resolved=(judged.codes != UNRESOLVED).mean(axis=1),
        covered=(abs(judged.moments.mean - effect) <= judged.half_width).mean(axis=1),
        false=np.isin(judged.codes, bad).any(axis=1),
        codes=judged.codes,
    )


def check(runs: NDArray[np.float64], effect: float, looks: tuple[int, ...], found: Found) -> None:
    """The first studies through the code that stops real ones."""
    depths = tuple(16 + 6 * step for step in range(runs.shape[1]))
    made = Study(name="a", factors={"model.depth": depths}, replicates=Adaptive(looks), margin=MARGIN)
    assert made.adaptive is not None
    for each in range(min(AGREES, len(runs))):
        data = data_of(made, runs[each], effect)
        stage = stage_of(data, TOP1, made.adaptive)
        codes = judge_at(data, TOP1, stage)[2].codes
        assert trials_asked(data, stage) == found.trials[each], (effect, looks, each)
        assert (codes == found.codes[each]).all()


def fixed(num_contrasts: int, spread: float) -> NDArray[np.float64]:
    """The share of resolved contrasts over all effects, for each fixed number of replicates up to 100."""
    most = tuple(range(5, 101))
    runs = draw(np.random.default_rng(8), 2000, num_contrasts, most[-1], spread)
    deltas = runs[:, 1:] - runs[:, :1]
    return np.array(
        [
            np.mean([(judge(deltas[..., :n] + e, margin=MARGIN).codes != UNRESOLVED).mean() for e in EFFECTS])
            for n in most
        ]
    )


def main(studies: int) -> None:
    heads = (
        "looks",
        "rho",
        "contrasts",
        "sd",
        "false, 0",
        "false, 1",
        "covered",
        "resolved",
        "trials",
        "fixed",
        "ratio",
    )
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    assert FIXED[0] == 5
    for num_contrasts in (1, 3):
        for spread in (1.0, 1.5):
            shares = fixed(num_contrasts, spread)
            marks = ", ".join(f"{share:.0%}: {5 + int(np.argmax(shares >= share))}" for share in (0.8, 0.9, 0.95, 0.99))
            print(f"fixed replicates for {marks}")
            for looks, rho in WAYS:
                spending.RHO = rho  # type: ignore[misc]
                spending.nominal_levels.cache_clear()
                spending._table.cache_clear()
                runs = draw(np.random.default_rng(7), studies, num_contrasts, looks[-1], spread)
                by_effect = {}
                for effect in EFFECTS:
                    by_effect[effect] = staged(runs[:, 1:] - runs[:, :1] + effect, effect, looks)
                    check(runs, effect, looks, by_effect[effect])
                resolved, trials, covered = (
                    float(np.mean([getattr(each, name).mean() for each in by_effect.values()]))
                    for name in ("resolved", "trials", "covered")
                )
                equal = (5 + int(np.argmax(shares >= min(resolved, MOST)))) * (num_contrasts + 1)
                print(
                    f"| {looks} | {rho} | {num_contrasts} | {spread} | {100 * by_effect[0.0].false.mean():.1f} % | "
                    f"{100 * by_effect[1.0].false.mean():.1f} % | {100 * covered:.1f} % | {100 * resolved:.1f} % | "
                    f"{trials:.1f} | {equal} | {trials / equal:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
