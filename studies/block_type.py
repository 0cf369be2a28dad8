#!/usr/bin/env python
"""Are residual blocks with as many parameters alike, whatever their kernels?  6 arms x 5 replicates, 8 CPU-minutes."""

from paribus import Claim, Study, main

TABLE_2 = {(1, 3, 1): 40, (3, 1): 40, (1, 3): 40, (3, 1, 1): 40, (3, 3): 28, (3, 1, 3): 22}  # block and depth
IMAGES = {"data.size": 8, "data.train_fraction": 0.03, "augment.crop": "none", "augment.flip": False}
study = Study(
    name="block_type",
    base="fashion_mnist",
    design="explicit",
    arms_listed=tuple({"model.block": block, "model.depth": depth} for block, depth in TABLE_2.items()),
    baseline={"model.block": (3, 3), "model.depth": 28},
    fixed={**IMAGES, "model.width": 2.0, "data.batch_size": 64, "budget.amount": 8.0, "evaluation.every_epochs": 8},
    replicates=5,
    seed=1,  # data and budget were chosen on seed 0
    claim=Claim(
        "block types with as many parameters perform about the same",
        source="Wide Residual Networks (arXiv 1605.07146), section 4, table 2",
        setting="CIFAR-10, k = 2, 200 epochs: 5.73 to 6.42 % error",
    ),
)

if __name__ == "__main__":
    main(study)
