"""How often, and when, arms fail to train: paired counts, Kaplan-Meier curves, a stratified log-rank test."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from paribus.analysis.intervals import Interval
from paribus.analysis.proportions import discordant_needed, mcnemar, newcombe

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

    `difference` is the share of failures of the arm minus that of the baseline. `p_holm` is corrected over the study's
    contrasts. `log_rank_p` is None below five informative replicates.
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
    """The paired table of failures (R,) bool, with Newcombe's interval and the exact McNemar p."""
    arm, baseline = np.asarray(arm_failed, dtype=bool), np.asarray(baseline_failed, dtype=bool)
    both, alone = int((arm & baseline).sum()), int((arm & ~baseline).sum())
    other, neither = int((~arm & baseline).sum()), int((~arm & ~baseline).sum())
    return Stability(
        both_failed=both,
        arm_failed_alone=alone,
        baseline_failed_alone=other,
        neither_failed=neither,
        interval=newcombe(both, alone, other, neither, level) if arm.size else None,
        p=float(mcnemar(alone, other)),
        p_holm=p_holm,
        log_rank_p=log_rank_p,
    )


def stability_note(found: Stability, alpha: float, num_contrasts: int = 1) -> str | None:
    """What the counts can't show yet, in words: exact tests of few pairs can't be significant."""
    discordant = found.arm_failed_alone + found.baseline_failed_alone
    if discordant == 0 or found.p_holm < alpha:
        return None
    needed = discordant_needed(alpha)
    counts = f"the arm alone failed in {found.arm_failed_alone} of {found.n} replicates, the baseline alone in "
    counts += f"{found.baseline_failed_alone} (exact McNemar p = {found.p:.3g})"
    if found.n < needed:
        return (
            f"{counts}; with {found.n} replicates the exact test can't fall below {2 * 0.5**found.n:.3g}: stability "
            f"takes at least {needed} replicates, {discordant_needed(alpha / num_contrasts)} to be safe over "
            f"{num_contrasts} contrasts"
        )
    return f"{counts}, {found.p_holm:.3g} corrected: not enough to say that one is stabler"
