"""Planned looks against a fixed number of replicates: error rates, coverage, trials at equal power.

The stopping code is the real one: every simulated study is a `Study` whose results go through `stage_of`. Run it with
`python tests/benchmarks/analysis/adaptive.py [STUDIES]`; a thousand studies a setting take a quarter of an hour.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus import Adaptive, Study
from paribus.analysis.stages import judge_at, stage_of, trials_asked
from paribus.analysis.study_data import StudyData, index_results
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, UNRESOLVED, WORSE, judge
from paribus.metrics.known import METRICS
from paribus.study.words import TrialResult

EFFECTS = (0.0, 0.5, 1.0, 2.0, 3.0)
FIXED = tuple(range(5, 61))
MARGIN = 1.0
TOP1 = METRICS["top1"]


@dataclass(frozen=True, kw_only=True)
class Found:
    """Means over studies: trials, contrasts with a verdict, studies with a false one, intervals that cover."""

    trials: float
    resolved: float
    false: float
    covered: float


def study_of(num_contrasts: int) -> Study:
    depths = tuple(16 + 6 * step for step in range(num_contrasts + 1))
    return Study(name="a", factors={"model.depth": depths}, replicates=Adaptive(), margin=MARGIN)


def draw(rng: np.random.Generator, studies: int, num_contrasts: int, runs: int, spread: float) -> NDArray[np.float64]:
    """Runs (S, A + 1, R), baseline first, whose paired differences have the sd `spread`."""
    return spread / 2**0.5 * rng.standard_normal((studies, num_contrasts + 1, runs))


def data_of(made: Study, runs: NDArray[np.float64], effect: float) -> StudyData:
    """A study's results, of its runs (A + 1, R), baseline first, where every other arm is better by `effect`."""
    results = [
        TrialResult(
            trial_id=f"{index}-{r}",
            arm=arm,
            replicate=r + 1,
            outcome="finished",
            metrics={"top1": 80 + float(runs[index, r]) + (effect if index else 0.0)},
            num_steps=1,
        )
        for index, arm in enumerate(made.arms)
        for r in range(made.replicates)
    ]
    return index_results(made, results, 10**9)


def adaptive(studies: int, num_contrasts: int, effect: float, spread: float) -> Found:
    made = study_of(num_contrasts)
    assert made.adaptive is not None
    rows = []
    for runs in draw(np.random.default_rng(7), studies, num_contrasts, made.replicates, spread):
        data = data_of(made, runs, effect)
        stage = stage_of(data, TOP1, made.adaptive)
        judged = judge_at(data, TOP1, stage)[2]
        covered = abs(judged.moments.mean - effect) <= judged.half_width
        rows.append(
            (
                trials_asked(data, stage),
                (judged.codes != UNRESOLVED).mean(),
                false(judged.codes, effect),
                covered.mean(),
            )
        )
    trials, resolved, wrong, covered_share = np.mean(rows, axis=0)
    return Found(trials=trials, resolved=resolved, false=wrong, covered=covered_share)


def false(codes: NDArray[np.int8], effect: float) -> bool:
    """Whether a study has a false verdict, of the kind that its effect can have."""
    bad = (EQUIVALENT, SMALL_DIFFERENCE, WORSE) if effect >= MARGIN else (WORSE,) if effect else (BETTER, WORSE)
    return bool(np.isin(codes, bad).any())


def fixed(num_contrasts: int, spread: float) -> NDArray[np.float64]:
    """The share of resolved contrasts over all effects, for each fixed number of replicates."""
    runs = draw(np.random.default_rng(8), 2000, num_contrasts, FIXED[-1], spread)
    shares = []
    for replicates in FIXED:
        deltas = (runs[:, 1:] - runs[:, :1])[..., :replicates]
        shares.append(np.mean([(judge(deltas + e, margin=MARGIN).codes != UNRESOLVED).mean() for e in EFFECTS]))
    return np.array(shares)


def main(studies: int) -> None:
    heads = ("contrasts", "sd of deltas, in margins", "false, effect 0", "false, effect 1", "covered", "resolved")
    print(f"| {' | '.join(heads)} | trials | fixed trials of equal power | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    for num_contrasts in (1, 3):
        for spread in (1.0, 1.5):
            found = {effect: adaptive(studies, num_contrasts, effect, spread) for effect in EFFECTS}
            resolved = float(np.mean([each.resolved for each in found.values()]))
            trials = float(np.mean([each.trials for each in found.values()]))
            equal = float(np.interp(resolved, fixed(num_contrasts, spread), FIXED)) * (num_contrasts + 1)
            covered = float(np.mean([each.covered for each in found.values()]))
            print(
                f"| {num_contrasts} | {spread} | {100 * found[0.0].false:.1f} % | {100 * found[1.0].false:.1f} % | "
                f"{100 * covered:.1f} % | {100 * resolved:.0f} % | {trials:.1f} | {equal:.1f} | {trials / equal:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
