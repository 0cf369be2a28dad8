"""One contrast: an arm against its baseline over the replicates that both have, on one metric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.intervals import Interval
from paribus.analysis.metrics import Metric
from paribus.analysis.pairing import Pairing
from paribus.analysis.stability import Stability
from paribus.analysis.verdicts import Verdict
from paribus.study.words import FAILED_TO_TRAIN, Arm, TrialResult

Floats = NDArray[np.float64]
Trials = Mapping[tuple[Arm, int], TrialResult]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """An arm against its baseline on one metric; deltas are arm minus baseline, in the metric's own unit.

    `interval` (paired t), `bootstrap` (studentised) and `simultaneous` (over the contrasts that share the baseline)
    cover training chance; `both_chances` also covers another test set. Any is None where the data don't bear it.
    `verdict` is None on secondary metrics. `further_replicates` would resolve an unresolved contrast at the observed
    mean and sd with 80 % power (inf: more than 10,000).
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
    both_chances: Interval | None
    simultaneous: Interval | None
    standardised: float
    p_superiority: float
    p_superiority_holm: float
    p_equivalence: float
    p_equivalence_holm: float
    stability: Stability
    pairing: Pairing | None
    verdict: Verdict | None
    margin: float | None
    further_replicates: float | None = None
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

    @property
    def arm_failed_alone(self) -> int:
        """Replicates in which only the arm failed to train."""
        return int((self.arm_failed & ~self.baseline_failed).sum())

    @property
    def baseline_failed_alone(self) -> int:
        """Replicates in which only the baseline failed to train."""
        return int((self.baseline_failed & ~self.arm_failed).sum())


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
    """Differences per evaluation example (n, n_eval) over the surviving pairs, in the metric's unit; None without."""
    rows = []
    for replicate in pairs.survived:
        arm, baseline = (trials[side, replicate] for side in (pairs.arm, pairs.baseline))
        if metric.name == "top1" and arm.correct is not None and baseline.correct is not None:
            rows.append(100.0 * (arm.correct.astype(np.float64) - baseline.correct))
        elif metric.name == "log_likelihood" and arm.log_likelihood is not None and baseline.log_likelihood is not None:
            rows.append(arm.log_likelihood.astype(np.float64) - baseline.log_likelihood)
        else:
            return None
    return np.stack(rows) if rows and len({row.size for row in rows}) == 1 else None


def contrast_notes(
    pairs: Pairs, deltas: Sequence[float], sd: float, num_replicates: int, resolution: float = 0.0
) -> list[str]:
    """What a reader must know before believing the numbers of a contrast."""
    notes = []
    n, failed = len(deltas), len(pairs.ended) - len(pairs.survived)
    if missing := num_replicates - len(pairs.ended):
        notes.append(f"{missing} of {num_replicates} replicates have no pair (missing, failed or stopped)")
    if failed:
        notes.append(
            f"quality over the {n} of {len(pairs.ended)} pairs in which both survived: survivors are a selected group"
        )
    if unreported := len(pairs.survived) - n:
        notes.append(f"{unreported} surviving pairs did not report the metric as a finite number")
    if n < 3:
        notes.append(f"{n} pair{'s' if n != 1 else ''}: no interval and no verdict below 3")
    elif n < 5:
        notes.append(f"{n} pairs: only large effects can be seen")
    if n >= 3 and isnan(sd):
        notes.append(
            f"all {n} deltas are identical ({deltas[0]:g}): they say nothing about chance, so that there is no "
            "interval and no p"
        )
    if n >= 3 and sd == resolution > 0:
        notes.append(
            f"the deltas spread by less than one evaluation example; their sd is taken as one ({resolution:.3g})"
        )
    return notes


def unresolved_note(half_width: float, margin: float, unit: str, further: float | None) -> str | None:
    """Why a contrast is unresolved and what would resolve it, in words."""
    if isnan(half_width) or further is None:
        return None
    more = "more than 10,000" if further == inf else f"about {further:.0f}"
    return (
        f"unresolved: half-width {half_width:.3g} against a margin of {margin:g} {unit}; {more} further replicates "
        f"would resolve it with 80 % power if the observed mean and sd were the true ones"
    )
