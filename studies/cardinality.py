#!/usr/bin/env python
"""More and thinner paths at the same cost?

ResNeXt-20 at a quarter of its width, 4 arms x 6 replicates, 1.4 CPU-minutes on a fifth of digits.
"""

from paribus import Claim, Study, main

NARROW = {"model.family": "resnext", "model.depth": 20, "model.width": 0.25}
study = Study(
    name="cardinality",
    factors={"model.cardinality": (1, 2, 4, 8)},
    baseline={"model.cardinality": 1},
    fixed={**NARROW, "data.train_fraction": 0.2, "budget.amount": 20.0},
    replicates=6,
    seed=1,
    claim=Claim(
        "at constant complexity error falls as cardinality grows",
        source="ResNeXt (arXiv 1611.05431), section 5.1, table 3",
        setting="1 x 64d to 32 x 4d, ImageNet-1K",
    ),
)

if __name__ == "__main__":
    main(study)
