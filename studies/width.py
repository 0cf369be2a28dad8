#!/usr/bin/env python
"""Does widening a residual net improve it?

WRN-16-k, 4 arms x 5 replicates, 2 CPU-minutes on a fifth of digits.
"""

from paribus import Claim, Study, main

study = Study(
    name="width",
    factors={"model.width": (0.5, 1.0, 2.0, 4.0)},
    fixed={"data.train_fraction": 0.2, "budget.amount": 20.0},  # on all of digits even k = 1 reaches the ceiling
    replicates=5,
    claim=Claim(
        "widening residual blocks of any depth improves accuracy",
        source="Wide Residual Networks (arXiv 1605.07146), section 4, table 4",
        direction="better",
        arms={"model.width": (2.0, 4.0)},
        setting="WRN-16 to 40, k 1 to 12, CIFAR-10 and -100, 200 epochs",
    ),
)

if __name__ == "__main__":
    main(study)
