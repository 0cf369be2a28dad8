"""Studies whose replicates deviate as those of real nets do, through the code that judges and stops real ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.stages import judge_at, stage_of, trials_asked
from paribus.analysis.study_data import StudyData, index_results
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, UNRESOLVED, WORSE
from paribus.recipe.seeds import key
from paribus.study.study import Study
from paribus.study.words import TrialResult

# A metric that is a share of test images has steps; results here are of no test set, and have none.
_NUM_EVAL = 10**9
# Where values lie bears on nothing but their being positive.
_LEVEL = 80.0


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What became of simulated studies all of whose contrasts have one true effect, in margins.

    Args:
        false_difference: share with a `better` or `worse` that is not so: either where there is no effect, the wrong
            one where there is.
        better: share with a `better`, right or not.
        false_equivalence: share with an `equivalent` though the effect is at least the margin.
        covered: share of intervals that hold the effect.
        resolved: share of contrasts with a verdict.
        trials: mean of a study.
    """

    effect: float
    studies: int
    better: float
    false_difference: float
    false_equivalence: float
    covered: float
    resolved: float
    trials: float


def simulate_studies(
    study: Study, deviations: NDArray[np.float64], *, effect: float, repeats: int, seed: int = 0
) -> Rates:
    """`repeats` studies: every arm's replicates are independent draws of `deviations` (X,), in the metric's unit, and
    all arms but baselines are better by `effect` margins. Pairs share nothing, which is the hardest case."""
    rng = np.random.default_rng(key("simulated studies", seed, round(effect * 1e6)) % 2**32)
    rows = [_one(study, rng.choice(deviations, (len(study.arms), study.replicates)), effect) for _ in range(repeats)]
    better, difference, equivalence, covered, resolved, trials = np.mean(rows, axis=0).tolist()
    return Rates(
        effect=effect,
        studies=repeats,
        better=better,
        false_difference=difference,
        false_equivalence=equivalence,
        covered=covered,
        resolved=resolved,
        trials=trials,
    )


def _one(study: Study, runs: NDArray[np.float64], effect: float) -> tuple[float, ...]:
    data, metric = _data(study, runs, effect), study.primary
    stage = stage_of(data, metric, study.adaptive) if study.adaptive else None
    judged = judge_at(data, metric, stage)[2]
    codes = judged.codes
    wrong = (BETTER, WORSE) if effect == 0 else (WORSE,) if effect > 0 else (BETTER,)
    same = np.isin(codes, (EQUIVALENT, SMALL_DIFFERENCE))
    covered = np.abs(judged.moments.mean - effect * study.margin) <= judged.half_width
    return (
        float((codes == BETTER).any()),
        float(np.isin(codes, wrong).any()),
        float(abs(effect) >= 1 and same.any()),
        float(covered.mean()),
        float((codes != UNRESOLVED).mean()),
        float(trials_asked(data, stage) if stage else len(study.arms) * study.replicates),
    )


def _data(study: Study, runs: NDArray[np.float64], effect: float) -> StudyData:
    metric = study.primary
    results = []
    for arm, row in zip(study.arms, runs, strict=True):
        shift = 0.0 if study.baseline_of(arm) == arm else metric.sign * effect * study.margin
        for replicate, deviation in enumerate(row.tolist(), start=1):
            results.append(
                TrialResult(
                    trial_id=f"{arm.name} {replicate}",
                    arm=arm,
                    replicate=replicate,
                    outcome="finished",
                    metrics={metric.name: _LEVEL + shift + deviation},
                    num_steps=1,
                )
            )
    return index_results(study, results, _NUM_EVAL)
