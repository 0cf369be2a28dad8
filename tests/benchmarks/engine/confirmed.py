"""A search among identical settings: how often what it found is called better, by its confirmation and by its values.

    python tests/benchmarks/engine/confirmed.py [SEARCHES]

All settings are one net, whose seeds deviate as those of NB201 on CIFAR-10: whatever is called better is not. The
confirmation is the search's own study, judged by the rule.
"""

import sys

import numpy as np

from paribus import Float, Search
from paribus.engine.simulation.hpo_tables import residuals
from paribus.engine.simulation.simulated_study import simulate_studies

TRIALS = 60


def main(searches: int) -> None:
    deviations = residuals("nb201:cifar10")
    rng = np.random.default_rng(0)
    values = rng.choice(deviations, (searches, TRIALS + 1))
    single = (values[:, 1] > values[:, 0]).mean()
    best = values[:, 1:].max(axis=1)
    print(f"keep one net if it is better than the baseline: kept in {100 * single:.1f} % of {searches:,}")
    print(
        f"keep the best of {TRIALS} if it is better: kept in {100 * (best > values[:, 0]).mean():.1f} %, "
        f"with a gain of {np.mean(best - values[:, 0]):.2f} points that is not there"
    )
    for replicates in (3, 5, 8):
        for margin in (0.2, 0.5):
            search = Search(
                name="identical",
                space={"optimizer.lr": Float(0.01, 1.0, log=True)},
                trials=TRIALS,
                confirm=replicates,
                margin=margin,
            )
            study = search.confirmation([{"optimizer.lr": lr} for lr in (0.02, 0.03, 0.04)])
            found = simulate_studies(study, deviations, effect=0.0, repeats=searches)
            print(
                f"best 3 confirmed on {replicates} replicates, margin {margin}: one called better in "
                f"{100 * found.better:.1f} % of searches, better or worse in {100 * found.false_difference:.1f} %, "
                f"contrasts with a verdict {100 * found.resolved:.0f} %",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
