#!/usr/bin/env python
"""Pool first, convolve first, or both side by side?

A quarter-wide Inception-v3, 3 arms x 8 replicates, 2 CPU-minutes on a fifth of digits.
"""

from paribus import Claim, Study, main

study = Study(
    name="grid_reduction",
    factors={"model.reduction": ("pool_first", "pool_last", "parallel")},
    baseline={"model.reduction": "pool_first"},
    fixed={"model": "Inception-v3-digits", "data.train_fraction": 0.2, "budget.amount": 20.0},
    replicates=8,
    seed=1,
    claim=Claim(
        "pooling first makes a representational bottleneck that the parallel reduction avoids",
        source="Inception-v3 (arXiv 1512.00567), section 5, figures 9 and 10",
        arms={"model.reduction": ("parallel",)},
        setting="Inception-v3, ImageNet",
    ),
)

if __name__ == "__main__":
    main(study)
