#!/usr/bin/env python
"""False verdicts and power of the rule with arms that fail: the tables of the README beside this file.

Every study goes through `judge`, the code that judges real ones.
`python tests/benchmarks/analysis/simulate_rule.py 4000` simulates 4,000 studies a setting.
"""

import sys
from itertools import product

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.statistics.stability import excluded_excess, largest_excess
from paribus.analysis.verdicts import BETTER, EQUIVALENT, SMALL_DIFFERENCE, STABLER, UNSTABLE, WORSE, judge

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]
PRAISE = (BETTER, EQUIVALENT, SMALL_DIFFERENCE)
DIFFERENCES = (BETTER, WORSE, UNSTABLE, STABLER)
MARGIN, SD = 0.5, 0.15


def failures(rng: np.random.Generator, studies: int, rates: Floats, replicates: int, rho: float) -> NDArray[np.bool_]:
    """(studies, A + 1, R): failures at `rates` (A + 1,), correlated by `rho` of a normal seed in a replicate."""
    from scipy.special import ndtri

    own = rng.standard_normal((studies, rates.size, replicates))
    shared = rng.standard_normal((studies, 1, replicates))
    return np.asarray(np.sqrt(1 - rho) * own + np.sqrt(rho) * shared < ndtri(rates)[:, None])


def verdicts(rng: np.random.Generator, failed: NDArray[np.bool_], effects: Floats | float = 0.0) -> Codes:
    """The codes (studies, A) of studies whose survivors differ by `effects` (A,) and normal noise of sd 0.15 points."""
    runs = SD * rng.standard_normal(failed.shape)
    arm, baseline = failed[:, 1:], failed[:, :1]
    deltas = np.where(arm | baseline, np.nan, runs[:, 1:] - runs[:, :1] + np.asarray(effects)[..., None])
    return judge(
        deltas,
        margin=MARGIN,
        arm_failed=arm.sum(axis=-1),
        baseline_failed=np.broadcast_to(baseline.sum(axis=-1), deltas.shape[:2]),
        ended=failed.shape[-1],
    ).codes


def bounds(failed: NDArray[np.bool_]) -> Floats:
    """(studies, A): the excess of failures that the report prints as excluded, for each contrast's own counts."""
    n, contrasts = failed.shape[-1], failed.shape[1] - 1
    printed = np.array([[largest_excess(x, y, n, contrasts) for y in range(n + 1)] for x in range(n + 1)])
    counts = failed.sum(axis=-1)
    return printed[counts[:, 1:], counts[:, :1]]


def praised(rng: np.random.Generator, studies: int, contrasts: int, replicates: int, rho: float, base: float) -> float:
    """Worst chance, over true excesses, of any `equivalent` or `better` with a printed bound below the true excess."""
    worst = 0.0
    for excess in (0.05, 0.1, 0.2, 0.3, 0.5):
        if base + excess >= 1:
            continue
        failed = failures(rng, studies, np.append(base, np.full(contrasts, base + excess)), replicates, rho)
        codes = verdicts(rng, failed, 0.0)
        false = np.isin(codes, PRAISE) & (bounds(failed) < excess)
        worst = max(worst, float(false.any(axis=1).mean()))
    return worst


def main(studies: int) -> None:
    """Print the tables."""
    rng = np.random.default_rng(8)
    print(
        "| contrasts | replicates | bound if nobody failed | worst false `equivalent` or `better` |\n|---|---|---|---|"
    )
    for contrasts, replicates in product((1, 3, 6, 11), (5, 8, 14, 20)):
        worst = max(
            praised(rng, studies, contrasts, replicates, rho, base)
            for rho, base in product((0.0, 0.5), (0.0001, 0.05, 0.1, 0.3, 0.5))
        )
        bound = 100 * excluded_excess(replicates, contrasts)
        print(f"| {contrasts} | {replicates} | {bound:.0f} % | {100 * worst:.1f} % |", flush=True)
    print("\n| contrasts | replicates | worst family-wise false difference, all arms failing alike |\n|---|---|---|")
    for contrasts, replicates in product((1, 3, 6, 11), (5, 8, 14)):
        rates = [
            float(
                np.isin(
                    verdicts(rng, failures(rng, studies, np.full(contrasts + 1, rate), replicates, rho)), DIFFERENCES
                )
                .any(axis=1)
                .mean()
            )
            for rate, rho in product((0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (0.0, 0.5))
        ]
        print(f"| {contrasts} | {replicates} | {100 * max(rates):.1f} % |")
    print("\n| power | found |\n|---|---|")
    for name, base, arm, contrasts, replicates in (
        ("baseline fails in 90 %, arms never, 3 contrasts, R = 5", 0.9, 1e-9, 3, 5),
        ("50 % against 0, 6 contrasts, R = 14", 1e-9, 0.5, 6, 14),
        ("90 % against 10 %, 6 contrasts, R = 8", 0.1, 0.9, 6, 8),
    ):
        for which in ("all arms", "one arm"):
            rates = np.append(base, np.full(contrasts, arm if which == "all arms" else base))
            rates[1] = arm
            codes = verdicts(rng, failures(rng, studies, rates, replicates, 0.0))
            print(f"| {name}, {which} | {np.isin(codes[:, 0], (UNSTABLE, STABLER)).mean():.2f} |")
    print(
        "\n| flagship: one arm fails, survivors are alike | `equivalent` | unresolved | unstable |\n|---|---|---|---|"
    )
    for (contrasts, replicates), rate in product(((1, 10), (6, 14)), (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)):
        codes = verdicts(rng, failures(rng, studies, np.append(np.full(contrasts, 1e-9), rate), replicates, 0.0))[:, -1]
        shares = [np.isin(codes, kind).mean() for kind in (PRAISE, (0,), (UNSTABLE,))]
        print(
            f"| {contrasts} x {replicates}, {100 * rate:.0f} % | "
            + " | ".join(f"{100 * s:.1f} %" for s in shares)
            + " |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
