"""Error rates of planned looks where replicates deviate as those of real nets; by default 10,000 studies in all.

    python tests/benchmarks/engine/error_rates.py [STUDIES]

Three arms share one baseline; every study goes through `stage_of` and `judge_at`. Deviations are normal, or those of
real seeds, NB201 on CIFAR-10, each with a margin of one and of two thirds of the deltas' sd.
"""

import sys
from math import nan

import numpy as np

from paribus import Adaptive, Study
from paribus.engine.simulation.hpo_tables import residuals
from paribus.engine.simulation.simulated_study import Rates, simulate_studies

CASES = (("nb201:cifar10", 1.5), ("nb201:cifar10", 1.0), ("normal", 1.5), ("normal", 1.0))


def study_of(margin: float) -> Study:
    return Study(
        name="error_rates",
        factors={"model.depth": (16, 22, 28, 34)},
        baseline={"model.depth": 16},
        replicates=Adaptive(),
        margin=margin,
    )


def main(studies: int) -> None:
    print(
        "| deviations | sd of deltas, in margins | effect, in margins | false difference | false equivalence | ", end=""
    )
    print("intervals that cover | resolved | trials of 120 |\n|---|---|---|---|---|---|---|---|")
    for name, spread in CASES:
        normal = np.random.default_rng(0).standard_normal(100_000)
        deviations = normal if name == "normal" else residuals(name)
        study = study_of(float(deviations.std() * 2**0.5 / spread))
        for effect in (0.0, 1.0):
            print(line(name, spread, simulate_studies(study, deviations, effect=effect, repeats=studies)), flush=True)


def line(name: str, spread: float, found: Rates) -> str:
    shares = [found.false_difference, found.false_equivalence if found.effect else nan, found.covered, found.resolved]
    shown = " | ".join("-" if np.isnan(share) else f"{100 * share:.1f} %" for share in shares)
    return f"| {name} | {spread} | {found.effect:g} | {shown} | {found.trials:.1f} |"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_250)
