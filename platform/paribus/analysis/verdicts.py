"""The rule that turns deltas and failures into verdicts, vectorised: what is simulated is what runs.

One call judges any number of studies at once. Axes are (..., A, R): A contrasts of one study, R replicates.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.analysis.statistics.boschloo import boschloo
from paribus.analysis.statistics.equivalence import superiority_p, tost_p
from paribus.analysis.statistics.intervals import MIN_PAIRS, Moments, moments, t_half_width
from paribus.analysis.statistics.multiplicity import holm
from paribus.analysis.statistics.spending import PlannedLooks

Verdict = Literal[
    "unresolved",
    "better",
    "worse",
    "equivalent",
    "equivalent, with a small difference",
    "worse (unstable)",
    "better (stabler)",
    "no data",
    "same training",
]
UNRESOLVED, BETTER, WORSE, EQUIVALENT, SMALL_DIFFERENCE, UNSTABLE, STABLER, NO_DATA, SAME_TRAINING = range(9)
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
ON_THE_BETTER_SIDE: Final[frozenset[Verdict]] = frozenset({"better", "better (stabler)"})
ON_THE_WORSE_SIDE: Final[frozenset[Verdict]] = frozenset({"worse", "worse (unstable)"})
EQUIVALENTS: Final[frozenset[Verdict]] = frozenset({"equivalent", "equivalent, with a small difference"})

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the rule found, every array of shape (..., A); p values are two-sided, `_holm` ones corrected.

    `level` is that of each contrast's interval.

    `num_difference` and `num_equivalence` (...) are the numbers of tests in the two Holm families. `quality` are the
    verdicts that the survivors alone would have had.
    """

    moments: Moments
    half_width: Floats
    level: Floats
    p_superiority: Floats
    p_superiority_holm: Floats
    p_equivalence: Floats
    p_equivalence_holm: Floats
    p_stability: Floats
    p_stability_holm: Floats
    num_difference: Counts
    num_equivalence: Counts
    quality: NDArray[np.int8]
    codes: NDArray[np.int8]

    def words(self) -> list[Verdict]:
        """The verdicts in words, in C order."""
        return [VERDICTS[code] for code in self.codes.ravel()]


def judge(
    deltas: ArrayLike,
    *,
    margin: float,
    alpha: float = 0.05,
    resolution: float = 0.0,
    arm_failed: ArrayLike = 0,
    baseline_failed: ArrayLike = 0,
    ended: ArrayLike | None = None,
    same_training: ArrayLike = False,
    planned: PlannedLooks | None = None,
) -> Judged:
    """Judge the contrasts of one or many studies.

    `deltas` (..., A, R) are arm minus baseline in units where larger is better, nan where a pair is missing or one of
    the two failed to train; `margin` is in the same unit. Of the `ended` pairs (..., A; None: those that have a delta)
    the arm failed to train in `arm_failed`, the baseline in `baseline_failed`. Contrasts of arms that are the
    `same_training` are withheld. With `planned` looks every p is the repeated one of its contrast's look, and intervals
    are the repeated ones: over all looks together, each verdict has the error of one.

    Everything that can say "this arm differs" is one Holm family: the superiority tests over at least three surviving
    pairs, and Boschloo's tests of the contrasts in which a run failed. Equivalence over at least three surviving pairs
    is a family of its own. No others are paid for: which they are depends on failures and not on their direction.
    """
    found = moments(deltas, resolution)
    shape = found.n.shape
    arm, baseline = (np.broadcast_to(np.asarray(x), shape) for x in (arm_failed, baseline_failed))
    pairs = np.broadcast_to(found.n if ended is None else np.asarray(ended), shape)
    withheld = np.broadcast_to(np.asarray(same_training, dtype=bool), shape)
    judged = (found.n >= MIN_PAIRS) & ~withheld
    failing = (arm + baseline > 0) & ~withheld
    superiority, equivalence = superiority_p(found), tost_p(found, margin, resolution)
    stability, level = boschloo(arm, baseline, pairs), np.asarray(1 - alpha)
    if planned is not None:
        superiority, stability = (planned.repeated_p(p, sides=2) for p in (superiority, stability))
        equivalence, level = planned.repeated_p(equivalence, sides=1), planned.level(alpha)
    difference = holm(
        np.concatenate([superiority, stability], axis=-1), family=np.concatenate([judged, failing], axis=-1)
    )
    superiority_holm, stability_holm = np.split(difference, 2, axis=-1)
    equivalence_holm = holm(equivalence, family=judged)
    quality = _quality(found, superiority_holm < alpha, equivalence_holm < alpha)
    codes = _decide(quality, stability_holm < alpha, arm > baseline, arm < baseline)
    codes = np.select([withheld, pairs == 0], [SAME_TRAINING, NO_DATA], default=codes)
    return Judged(
        moments=found,
        half_width=t_half_width(found, level),
        level=np.broadcast_to(level, shape),
        p_superiority=superiority,
        p_superiority_holm=superiority_holm,
        p_equivalence=equivalence,
        p_equivalence_holm=equivalence_holm,
        p_stability=stability,
        p_stability_holm=stability_holm,
        num_difference=judged.sum(axis=-1) + failing.sum(axis=-1),
        num_equivalence=judged.sum(axis=-1),
        quality=quality,
        codes=codes.astype(np.int8),
    )


def _quality(found: Moments, differs: Flags, same: Flags) -> NDArray[np.int8]:
    """The verdict over the pairs in which both trained."""
    better = np.nan_to_num(found.mean) > 0
    codes = np.select(
        [same & differs, same, differs & better, differs],
        [SMALL_DIFFERENCE, EQUIVALENT, BETTER, WORSE],
        default=UNRESOLVED,
    )
    return codes.astype(np.int8)


def _decide(
    quality: NDArray[np.int8], settled: Flags, arm_fails_more: Flags, arm_fails_less: Flags
) -> NDArray[np.int8]:
    """Stability first; an excess of failures that is not settled leaves no word of praise, a deficit none of blame."""
    blocked = (arm_fails_more & (quality != WORSE)) | (arm_fails_less & (quality == WORSE))
    codes = np.select(
        [settled & arm_fails_more, settled & arm_fails_less, blocked], [UNSTABLE, STABLER, UNRESOLVED], default=quality
    )
    return codes.astype(np.int8)
