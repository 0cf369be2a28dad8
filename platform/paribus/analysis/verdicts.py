"""The rule that turns deltas and failures into verdicts, vectorised: what is simulated is what runs.

One call judges any number of studies at once. Axes are (..., A, R): A contrasts of one study, R replicates.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.analysis.equivalence import superiority_p, tost_p
from paribus.analysis.intervals import MIN_PAIRS, Moments, moments, t_half_width
from paribus.analysis.multiplicity import holm
from paribus.analysis.proportions import mcnemar, smallest_mcnemar_p

Verdict = Literal[
    "unresolved",
    "better",
    "worse",
    "equivalent",
    "equivalent, with a small difference",
    "worse (unstable)",
    "better (stabler)",
]
UNRESOLVED, BETTER, WORSE, EQUIVALENT, SMALL_DIFFERENCE, UNSTABLE, STABLER = range(7)
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
ON_THE_BETTER_SIDE: Final[frozenset[Verdict]] = frozenset({"better", "better (stabler)"})
ON_THE_WORSE_SIDE: Final[frozenset[Verdict]] = frozenset({"worse", "worse (unstable)"})
EQUIVALENTS: Final[frozenset[Verdict]] = frozenset({"equivalent", "equivalent, with a small difference"})

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the rule found, every array of shape (..., A); p values are two-sided, `_holm` ones corrected."""

    moments: Moments
    half_width: Floats
    p_superiority: Floats
    p_superiority_holm: Floats
    p_equivalence: Floats
    p_equivalence_holm: Floats
    p_stability: Floats
    p_stability_holm: Floats
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
    arm_failed_alone: ArrayLike = 0,
    baseline_failed_alone: ArrayLike = 0,
) -> Judged:
    """Judge the contrasts of one or many studies.

    `deltas` (..., A, R) are arm minus baseline in units where larger is better, nan where a pair is missing;
    `margin` is in the same unit. `*_failed_alone` (..., A) count the replicates in which only that one of the two
    failed to train. Stability comes first; then equivalence; then superiority; else unresolved.

    Everything that can say "this arm differs" is one Holm family: the superiority tests, and the McNemar tests
    that have enough discordant pairs to reach `alpha` at all (Tarone 1990: the number of discordant pairs says
    nothing about the direction, so that the others need not be paid for). Equivalence is a family of its own.
    """
    found = moments(deltas, resolution)
    arm, baseline = (np.broadcast_to(np.asarray(x), found.n.shape) for x in (arm_failed_alone, baseline_failed_alone))
    superiority, equivalence = superiority_p(found), tost_p(found, margin, resolution)
    stability = mcnemar(arm, baseline)
    reachable = smallest_mcnemar_p(arm + baseline) <= alpha
    difference = holm(
        np.concatenate([superiority, stability], axis=-1),
        family=np.concatenate([np.ones_like(reachable), reachable], axis=-1),
    )
    superiority_holm, stability_holm = np.split(difference, 2, axis=-1)
    equivalence_holm = holm(equivalence)
    return Judged(
        moments=found,
        half_width=t_half_width(found, 1 - alpha),
        p_superiority=superiority,
        p_superiority_holm=superiority_holm,
        p_equivalence=equivalence,
        p_equivalence_holm=equivalence_holm,
        p_stability=stability,
        p_stability_holm=stability_holm,
        codes=_decide(found, superiority_holm, equivalence_holm, stability_holm, arm > baseline, alpha),
    )


def _decide(
    found: Moments,
    superiority: Floats,
    equivalence: Floats,
    stability: Floats,
    arm_fails_more: NDArray[np.bool_],
    alpha: float,
) -> NDArray[np.int8]:
    differs = (superiority < alpha) & (found.n >= MIN_PAIRS)
    same = (equivalence < alpha) & (found.n >= MIN_PAIRS)
    unstable = stability < alpha
    codes = np.select(
        [
            unstable & arm_fails_more,
            unstable,
            same & differs,
            same,
            differs & (np.nan_to_num(found.mean) > 0),
            differs,
        ],
        [UNSTABLE, STABLER, SMALL_DIFFERENCE, EQUIVALENT, BETTER, WORSE],
        default=UNRESOLVED,
    )
    return codes.astype(np.int8)
