"""How often, and when, arms fail to train: paired counts, Kaplan-Meier curves, a stratified log-rank test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from paribus.analysis.statistics.boschloo import boschloo
from paribus.analysis.statistics.intervals import Interval
from paribus.analysis.statistics.proportions import newcombe

Floats = NDArray[np.float64]
MIN_INFORMATIVE = 5


@dataclass(frozen=True, kw_only=True)
class SurvivalCurve:
    """Kaplan-Meier estimate: `survival[i]` is the share still training after `steps[i]`; `censored` steps are marks."""

    steps: Floats
    survival: Floats
    at_risk: NDArray[np.int64]
    censored: Floats


def kaplan_meier(steps: ArrayLike, failed: ArrayLike) -> SurvivalCurve:
    """The product-limit estimate (Kaplan and Meier 1958) from last steps (n,) and whether each ended in failure.

    A trial that finished or was stopped is censored at its last step. Raises ValueError without trials.
    """
    times, events = np.asarray(steps, dtype=np.float64), np.asarray(failed, dtype=bool)
    if times.size == 0 or times.shape != events.shape:
        raise ValueError(f"needs one outcome per step, and at least one; got {times.shape} and {events.shape}")
    moments_of_failure = np.unique(times[events])
    at_risk = (times[None, :] >= moments_of_failure[:, None]).sum(axis=1)
    failures = ((times[None, :] == moments_of_failure[:, None]) & events).sum(axis=1)
    return SurvivalCurve(
        steps=moments_of_failure,
        survival=np.cumprod(1 - failures / np.maximum(at_risk, 1)),
        at_risk=at_risk,
        censored=np.sort(times[~events]),
    )


@dataclass(frozen=True, kw_only=True)
class LogRank:
    """Two-sided p of equal hazards, and the number of strata that say anything (unequal expectation)."""

    p: float
    informative_strata: int


def log_rank(steps: ArrayLike, failed: ArrayLike, in_arm: ArrayLike, strata: ArrayLike) -> LogRank | None:
    """Log-rank test of arm against baseline, stratified (by replicate); None where no stratum is informative."""
    times, events = np.asarray(steps, dtype=np.float64), np.asarray(failed, dtype=bool)
    arm, stratum = np.asarray(in_arm, dtype=bool), np.asarray(strata)
    excess = variance = 0.0
    informative = 0
    for one in np.unique(stratum):
        here = stratum == one
        stratum_excess, stratum_variance = _log_rank_terms(times[here], events[here], arm[here])
        excess, variance = excess + stratum_excess, variance + stratum_variance
        informative += stratum_variance > 0
    if variance == 0:
        return None
    return LogRank(p=float(special.chdtrc(1, excess**2 / variance)), informative_strata=int(informative))


def _log_rank_terms(times: Floats, events: NDArray[np.bool_], arm: NDArray[np.bool_]) -> tuple[float, float]:
    excess = variance = 0.0
    for moment in np.unique(times[events]):
        at_risk, failing = times >= moment, (times == moment) & events
        n, n_arm, d = int(at_risk.sum()), int((at_risk & arm).sum()), int(failing.sum())
        excess += int((failing & arm).sum()) - d * n_arm / n
        if n > 1:
            variance += d * (n_arm / n) * (1 - n_arm / n) * (n - d) / (n - 1)
    return excess, variance


@dataclass(frozen=True, kw_only=True)
class Stability:
    """Replicates in which the arm, the baseline, both or neither failed to train, and what follows.

    `difference` is the share of failures of the arm minus that of the baseline. `p` is of Boschloo's test on the two
    counts, `p_holm` corrected over the study's contrasts. `log_rank_p` is None below five informative replicates.
    """

    both_failed: int
    arm_failed_alone: int
    baseline_failed_alone: int
    neither_failed: int
    interval: Interval | None
    p: float
    p_holm: float
    log_rank_p: float | None = None

    @property
    def n(self) -> int:
        """Replicates in which both arm and baseline came to an end of their own."""
        return self.both_failed + self.arm_failed_alone + self.baseline_failed_alone + self.neither_failed

    @property
    def arm_failed(self) -> int:
        """Replicates in which the arm failed to train."""
        return self.both_failed + self.arm_failed_alone

    @property
    def baseline_failed(self) -> int:
        """Replicates in which the baseline failed to train."""
        return self.both_failed + self.baseline_failed_alone

    @property
    def difference(self) -> float:
        """Share of replicates in which the arm failed, minus that of the baseline."""
        return (self.arm_failed_alone - self.baseline_failed_alone) / self.n if self.n else float("nan")

    @property
    def any_failed(self) -> bool:
        """Whether anything failed at all."""
        return self.neither_failed < self.n


def stability_of(
    arm_failed: ArrayLike,
    baseline_failed: ArrayLike,
    p_holm: float,
    log_rank_p: float | None = None,
    level: float = 0.95,
) -> Stability:
    """The paired table of failures (R,) bool, with Newcombe's interval and Boschloo's exact p."""
    arm, baseline = np.asarray(arm_failed, dtype=bool), np.asarray(baseline_failed, dtype=bool)
    both, alone = int((arm & baseline).sum()), int((arm & ~baseline).sum())
    other, neither = int((~arm & baseline).sum()), int((~arm & ~baseline).sum())
    return Stability(
        both_failed=both,
        arm_failed_alone=alone,
        baseline_failed_alone=other,
        neither_failed=neither,
        interval=newcombe(both, alone, other, neither, level) if arm.size else None,
        p=float(boschloo(both + alone, both + other, arm.size)),
        p_holm=p_holm,
        log_rank_p=log_rank_p,
    )


def counts_in_words(found: Stability) -> str:
    """`failed to train in 5 of 10 against 0 of 10`."""
    return f"failed to train in {found.arm_failed} of {found.n} against {found.baseline_failed} of {found.n}"


def excluded_excess(num_replicates: int, num_contrasts: int, alpha: float = 0.05) -> float:
    """The excess of failures that is excluded where nobody failed: (1 - x)^R = alpha / A at x = 1 - (alpha / A)^(1/R).

    A larger one would have shown at least one failure in R replicates, in all A contrasts at once, with 1 - alpha.
    """
    return float(1 - (alpha / num_contrasts) ** (1 / num_replicates))


def largest_excess(arm_failed: int, baseline_failed: int, n: int, num_contrasts: int, alpha: float = 0.05) -> float:
    """The largest excess of failures that the counts leave possible, for all A contrasts at once with 1 - alpha.

    Where nobody failed, `excluded_excess`; else the arm's highest rate minus the baseline's lowest (Clopper and Pearson
    1934), each one-sided at alpha / 2 A: that holds under any dependence. Newcombe's upper end at alpha / A, which is
    tighter, was exceeded in up to 7.3 % of simulated studies.
    """
    if arm_failed == baseline_failed == 0:
        return excluded_excess(n, num_contrasts, alpha)
    tail = alpha / (2 * num_contrasts)
    highest = 1.0 if arm_failed == n else special.betaincinv(arm_failed + 1, n - arm_failed, 1 - tail)
    lowest = 0.0 if baseline_failed == 0 else special.betaincinv(baseline_failed, n - baseline_failed + 1, tail)
    return float(highest - lowest)
