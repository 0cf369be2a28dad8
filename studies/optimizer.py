#!/usr/bin/env python
"""RMSProp as the Inception papers have it, or SGD with momentum?  3 arms x 8 replicates, 2.5 CPU-minutes."""

from paribus import Claim, Study, main

# Each one's best of four rates on seed 0 (0.03, 0.1, 0.3, 1 and 0.15, 0.5, 1.5, 5), and the papers' rate for RMSProp.
RATES = (("sgd", 0.1), ("rmsprop", 1.5), ("rmsprop", 0.045))
IMAGES = {"data.size": 8, "data.train_fraction": 0.05, "augment.crop": "none", "augment.flip": False}
study = Study(
    name="optimizer",
    base="fashion_mnist",
    design="explicit",
    arms_listed=tuple({"optimizer.kind": kind, "optimizer.lr": rate} for kind, rate in RATES),
    fixed={**IMAGES, "data.batch_size": 64, "evaluation.every_epochs": 10},
    replicates=8,
    seed=1,
    claim=Claim(
        "the best models were trained by RMSProp with decay 0.9 and epsilon 1.0: 23.1 against 23.4 % error",
        source="Inception-v3 (arXiv 1512.00567), section 8 and table 3",
        direction="better",
        arms={"optimizer.lr": (1.5,)},
    ),
)
if __name__ == "__main__":
    main(study)
