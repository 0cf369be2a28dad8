"""One contrast: an arm against its baseline over the replicates that both have, on one metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.statistics.intervals import Interval
from paribus.analysis.statistics.pairing import Pairing
from paribus.analysis.statistics.stability import Stability
from paribus.analysis.verdicts import Verdict
from paribus.metrics.metric import Metric
from paribus.study.words import FAILED_TO_TRAIN, Arm, TrialResult

Floats = NDArray[np.float64]
Trials = Mapping[tuple[Arm, int], TrialResult]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """An arm against its baseline on one metric; deltas are arm minus baseline, in the metric's own unit.

    `interval` (paired t), `bootstrap` (studentised) and `simultaneous` (over the contrasts that share the baseline)
    cover training chance; `crossed` also covers another test set. Any is None where the data don't bear it.
    `verdict` is None on secondary metrics. `further_replicates` would resolve the quality of an unresolved contrast at
    the observed mean, sd and failure rate with 80 % power, `further_for_stability` a difference in failures that is not
    settled (inf: more than 10,000).
    Holm-corrected p and those of equivalence are nan on secondary metrics.
    """

    arm: Arm
    baseline: Arm
    metric: Metric
    primary: bool
    replicates: tuple[int, ...]
    deltas: tuple[float, ...]
    mean: float
    sd: float
    interval: Interval | None
    bootstrap: Interval | None
    crossed: Interval | None
    simultaneous: Interval | None
    hedges_g: float
    p_superiority: float
    p_superiority_holm: float
    p_equivalence: float
    p_equivalence_holm: float
    stability: Stability
    pairing: Pairing | None
    verdict: Verdict | None
    margin: float | None
    further_replicates: float | None = None
    further_for_stability: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Pairs in which both arm and baseline trained to the end."""
        return len(self.deltas)

    @property
    def half_width(self) -> float:
        """Half-width of the paired t interval; nan without one."""
        return self.interval.half_width if self.interval else float("nan")


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """What an arm and its baseline share: `ended` replicates ended by themselves, `survived` trained through."""

    arm: Arm
    baseline: Arm
    ended: tuple[int, ...]
    survived: tuple[int, ...]
    arm_failed: NDArray[np.bool_]
    baseline_failed: NDArray[np.bool_]


def pairs_of(arm: Arm, baseline: Arm, trials: Trials, replicates: Sequence[int]) -> Pairs:
    """The pairs of an arm and its baseline; `stopped`, `failed` and missing trials are in none."""

    def ended(arm: Arm, replicate: int) -> bool:
        trial = trials.get((arm, replicate))
        return trial is not None and (trial.survived or trial.outcome in FAILED_TO_TRAIN)

    both = tuple(r for r in replicates if ended(arm, r) and ended(baseline, r))
    arm_failed = np.array([not trials[arm, r].survived for r in both], dtype=bool)
    baseline_failed = np.array([not trials[baseline, r].survived for r in both], dtype=bool)
    return Pairs(
        arm=arm,
        baseline=baseline,
        ended=both,
        survived=tuple(r for r, a, b in zip(both, arm_failed, baseline_failed, strict=True) if not (a or b)),
        arm_failed=arm_failed,
        baseline_failed=baseline_failed,
    )


def values_of(arm: Arm, metric: Metric, trials: Trials, replicates: Sequence[int]) -> Floats:
    """The metric of an arm (R,), nan in every replicate that did not train to the end or did not report it."""

    def value(replicate: int) -> float:
        trial = trials.get((arm, replicate))
        found = float(trial.metrics.get(metric.name, np.nan)) if trial is not None and trial.survived else np.nan
        return found if isfinite(found) else np.nan

    return np.array([value(replicate) for replicate in replicates], dtype=np.float64)


def example_differences(pairs: Pairs, metric: Metric, trials: Trials) -> Floats | None:
    """Differences per evaluation example (n, n_eval) over the surviving pairs, in the metric's unit.

    None where the metric has no value per example or what it needs was not kept, and where trials were judged on other
    examples: those cannot be paired.
    """
    if num_test_sets(pairs, trials) > 1:
        return None
    rows = []
    for replicate in pairs.survived:
        arm, baseline = (trials[side, replicate].examples for side in (pairs.arm, pairs.baseline))
        row = metric.differences(arm, baseline) if arm is not None and baseline is not None else None
        if row is None:
            return None
        rows.append(row)
    return np.stack(rows) if len({row.size for row in rows}) == 1 else None


def num_test_sets(pairs: Pairs, trials: Trials) -> int:
    """How many lists of evaluation examples the surviving trials were judged on, as far as they tell; order counts."""
    sides = (pairs.arm, pairs.baseline)
    examples = (trials[side, r].examples for side in sides for r in pairs.survived)
    return len({found.keys_digest for found in examples if found is not None} - {""})


def contrast_notes(
    pairs: Pairs, contrast: Contrast, num_replicates: int, num_sets: int, resolution: float
) -> list[str]:
    """What a reader must know before believing the numbers of a contrast."""
    notes = []
    n, ended = contrast.n, len(pairs.ended)
    if missing := num_replicates - ended:
        notes.append(
            f"{missing} of {num_replicates} replicates have no pair (missing, failed without a result, stopped)"
        )
    if ended > len(pairs.survived):
        notes.append(f"quality over the {n} of {ended} pairs in which both trained: survivors are a selected group")
    if unreported := len(pairs.survived) - n:
        notes.append(f"{unreported} surviving pairs did not report the metric as a finite number")
    if num_sets > 1:
        notes.append(
            f"its trials were judged on {num_sets} different lists of evaluation examples: the examples are not "
            "paired, and part of the difference may be the examples'"
        )
    if n < 3:
        notes.append(f"{n} pair{'s' if n != 1 else ''}: no interval and no verdict on quality below 3")
    elif n < 5:
        notes.append(f"{n} pairs: only large effects can be seen")
    if n >= 3 and isnan(contrast.sd):
        notes.append(
            f"all {n} deltas are identical ({contrast.deltas[0]:g}): they say nothing about chance, so that there is "
            "no interval and no p"
        )
    if n >= 3 and contrast.sd == resolution > 0 and contrast.verdict != "same training":
        notes.append(
            f"the deltas spread by less than one evaluation example; their sd is taken as one ({resolution:.3g})"
        )
    return notes
