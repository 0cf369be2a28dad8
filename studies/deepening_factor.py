#!/usr/bin/env python
"""How many convolutions should a residual block have, at constant parameters?  4 arms x 8 replicates, 5 CPU-minutes."""

from paribus import Claim, Study, main

IMAGES = {"data.size": 8, "data.train_fraction": 0.03, "augment.crop": "none", "augment.flip": False}
study = Study(
    name="deepening_factor",
    base="fashion_mnist",
    design="explicit",  # 12 / l blocks of l = 1 to 4 convolutions a stage: 0.56 M parameters each
    arms_listed=tuple({"model.block": (3,) * m, "model.depth": 6 * (12 // m) + 4} for m in (1, 2, 3, 4)),
    baseline={"model.block": (3, 3), "model.depth": 40},
    fixed={**IMAGES, "data.batch_size": 64, "budget.amount": 8.0, "evaluation.every_epochs": 8},
    replicates=8,
    seed=1,  # data, budget and replicates were chosen on seed 0
    claim=Claim(
        "two convolutions a block are best: with one, three or four the net is worse",
        source="Wide Residual Networks (arXiv 1605.07146), section 4, table 3",
        direction="worse",
        setting="WRN-40-2, CIFAR-10, 200 epochs: 6.69, 5.43, 5.65, 5.93 % error",
    ),
)

if __name__ == "__main__":
    main(study)
