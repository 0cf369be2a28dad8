"""A pipeline that edits a net and asks `paribus judge` whether to keep the edit, where no edit changes anything (A/A).

    python tests/benchmarks/analysis/false_keeps.py [EDITS]

Runs deviate as seeds of NB201 on CIFAR-10 do, unpaired, the worst case: nothing is shared by a pair. Every edit goes
through what the command goes through after it has read its table.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from paribus.engine.simulation.hpo_tables import residuals
from paribus.results.columns import Asked
from paribus.results.comparison import compared
from paribus.results.judgement import DROP, KEEP, UNRESOLVED, judge_comparison
from paribus.results.runs import Runs


def answer(values: NDArray[np.float64], margin: float | None) -> int:
    """The exit code for (2, R) accuracies."""
    asked = Asked(arm=("net",), seed="seed", metric="acc", baseline="before", margin=margin)
    rows = [
        {"net": net, "seed": str(seed), "acc": repr(float(value))}
        for net, line in zip(("before", "edited"), values, strict=True)
        for seed, value in enumerate(line)
    ]
    return judge_comparison(compared(Runs(source="edit", rows=tuple(rows)), asked)).code


def main(edits: int) -> None:
    deviations, rng = residuals("nb201:cifar10"), np.random.default_rng(0)
    one = 94 + rng.choice(deviations, (edits, 2))
    print(f"keep if one run is better: kept in {100 * (one[:, 1] > one[:, 0]).mean():.1f} % of {edits:,} edits")
    for margin in (0.5, None):
        for replicates in (3, 5, 10):
            codes = [answer(94 + rng.choice(deviations, (2, replicates)), margin) for _ in range(edits)]
            kept, dropped, left = (100 * np.mean([code == each for code in codes]) for each in (KEEP, DROP, UNRESOLVED))
            print(
                f"margin {margin or 'none'}, {replicates:2} seeds: kept {kept:.1f} %, dropped {dropped:.1f} %, "
                f"unresolved {left:.1f} %",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
