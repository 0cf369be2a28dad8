#!/usr/bin/env python
"""Where does dropout belong in a residual net?

WRN-28-1 at rate 0.3, 4 arms x 8 replicates, 4 CPU-minutes on digits.
"""

from paribus import Claim, Study, main

study = Study(
    name="dropout_placement",
    factors={"model.dropout_placement": ("none", "branch", "shortcut", "head")},
    fixed={"model.depth": 28, "model.dropout": 0.3, "budget.amount": 10.0},  # at 16 layers no placement hurts much
    replicates=8,
    seed=1,  # the number of replicates was chosen on seed 0
    claim=Claim(
        "dropout on the shortcut hurts",
        source="Identity Mappings (arXiv 1603.05027), table 1; Wide Residual Networks (arXiv 1605.07146), section 2.4",
        direction="worse",
        arms={"model.dropout_placement": ("shortcut",)},
        setting="ResNet-110, rate 0.5, CIFAR-10: over 20 % error",
    ),
)

if __name__ == "__main__":
    main(study)
