"""What each arm did by itself: outcomes, every replicate's value, means with intervals, survival over steps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.contrasts import Trials, values_of
from paribus.analysis.statistics.intervals import Interval, moments, t_interval
from paribus.analysis.statistics.stability import SurvivalCurve, kaplan_meier, log_rank
from paribus.metrics.metric import Metric
from paribus.study.words import FAILED_TO_TRAIN, Arm, Outcome, TrialResult


@dataclass(frozen=True, kw_only=True)
class Mean:
    """Mean of a metric over the replicates of one arm that trained to the end; None interval below three of them."""

    n: int
    mean: float
    sd: float
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class ArmSummary:
    """One arm by itself. `points` holds (replicate, value) of every replicate that trained to the end, per metric.

    `survival` is over optimisation steps; a stopped trial is censored there, and is in no mean.
    """

    arm: Arm
    is_baseline: bool
    outcomes: Mapping[Outcome, int]
    means: Mapping[str, Mean]
    points: Mapping[str, tuple[tuple[int, float], ...]]
    failed_replicates: Mapping[int, Outcome]
    survival: SurvivalCurve | None


def summarise(
    arm: Arm, is_baseline: bool, trials: Trials, replicates: Sequence[int], metrics: Sequence[Metric], level: float
) -> ArmSummary:
    """The summary of one arm over the given replicates."""
    own = [trials[arm, replicate] for replicate in replicates if (arm, replicate) in trials]
    values = {metric.name: values_of(arm, metric, trials, replicates) for metric in metrics}
    steps, failed = survival_of(own)
    return ArmSummary(
        arm=arm,
        is_baseline=is_baseline,
        outcomes=dict(Counter(trial.outcome for trial in own)),
        means={name: mean_of(column, level) for name, column in values.items()},
        points={
            name: tuple((r, float(v)) for r, v in zip(replicates, column, strict=True) if not np.isnan(v))
            for name, column in values.items()
        },
        failed_replicates={trial.replicate: trial.outcome for trial in own if trial.outcome in FAILED_TO_TRAIN},
        survival=kaplan_meier(steps, failed) if steps.size else None,
    )


def mean_of(values: NDArray[np.float64], level: float = 0.95) -> Mean:
    """Mean, sd and t interval of the values that are there; nan where there are too few."""
    found = moments(values)
    return Mean(n=int(found.n), mean=float(found.mean), sd=float(found.sd), interval=t_interval(values, level=level))


def survival_of(trials: Sequence[TrialResult]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Last step and whether it was a failure to train, for every trial that says at which step it ended."""
    ended = [t for t in trials if _says_when(t)]
    steps = [t.outcome_step if t.outcome_step is not None else t.num_steps for t in ended]
    failed = [t.outcome in FAILED_TO_TRAIN for t in ended]
    return np.array(steps, dtype=np.float64), np.array(failed, dtype=bool)


def _says_when(trial: TrialResult) -> bool:
    return trial.outcome != "failed" and (trial.outcome_step is not None or trial.num_steps > 0)


def log_rank_of(arm: Arm, baseline: Arm, trials: Trials, replicates: Sequence[int], least_strata: int) -> float | None:
    """p of the log-rank test of arm against baseline, stratified by replicate; None below `least_strata` of use."""
    both = [r for r in replicates if (arm, r) in trials and (baseline, r) in trials]
    own = [trials[side, r] for r in both for side in (arm, baseline)]
    usable = [t for t in own if _says_when(t)]
    steps, failed = survival_of(usable)
    found = log_rank(steps, failed, [t.arm == arm for t in usable], [t.replicate for t in usable])
    return found.p if found is not None and found.informative_strata >= least_strata else None
