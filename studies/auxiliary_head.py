#!/usr/bin/env python
"""Does an auxiliary head help, with batch norm or without?

A quarter-wide Inception-v3, 3 arms x 8 replicates, 3 CPU-minutes on a fifth of digits.
"""

from paribus import Claim, Study, main

study = Study(
    name="auxiliary_head",
    design="explicit",
    arms_listed=({}, *({"model.auxiliary.weight": 0.3, "model.auxiliary.norm": norm} for norm in ("none", "batch"))),
    fixed={"model": "Inception-v3-digits", "data.train_fraction": 0.2, "budget.amount": 20.0},
    replicates=8,
    seed=1,
    claim=Claim(
        "the main classifier performs better if the side branch is batch-normalized",
        source="Inception-v3 (arXiv 1512.00567), section 4",
        arms={"model.auxiliary.weight": (0.3,), "model.auxiliary.norm": ("batch",)},
        setting="Inception-v3 at 299 pixels, ImageNet, 21.6 to 21.2 % error",
    ),
)

if __name__ == "__main__":
    main(study)
