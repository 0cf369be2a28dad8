#!/usr/bin/env python
"""Deep and thin or shallow and wide, at equal parameters (0.7 M)?

3 arms x 8 replicates, 2.5 CPU-minutes on a fifth of digits.
"""

from paribus import Claim, Study, main

study = Study(
    name="depth",
    design="explicit",
    arms_listed=tuple({"model.depth": depth, "model.width": k} for depth, k in ((52, 1.0), (28, 1.4), (16, 2.0))),
    baseline={"model.depth": 52, "model.width": 1.0},
    fixed={"data.train_fraction": 0.2, "budget.amount": 20.0},  # on all of digits every arm reaches the ceiling
    replicates=8,
    claim=Claim(
        "wide shallow nets equal or beat thin deep nets with as many parameters",
        source="Wide Residual Networks (arXiv 1605.07146), section 4, table 4",
        direction="no harm",
        setting="WRN-40-4 against pre-activation ResNet-1001, CIFAR-10 and -100, 200 epochs",
    ),
)

if __name__ == "__main__":
    main(study)
