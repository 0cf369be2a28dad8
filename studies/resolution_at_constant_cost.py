#!/usr/bin/env python
"""At equal cost, how much does resolution matter?  3 arms x 4 replicates, 8 CPU-minutes on Fashion-MNIST."""

from paribus import Claim, Study, main

NET = {"model": "Inception-v3-digits", "model.stem": "imagenet"}
study = Study(
    name="resolution_at_constant_cost",
    base="fashion_mnist",
    design="explicit",
    arms_listed=tuple({"model.resolution": r, "data.size": s} for r, s in ((299, 76), (151, 39), (79, 21))),
    fixed={**NET, "data.train_fraction": 0.05, "evaluation.every_epochs": 10},
    baseline={"model.resolution": 299, "data.size": 76},
    replicates=4,
    margin=1.0,
    claim=Claim(
        "at constant computation a lower resolution reaches nearly the same quality",
        source="Inception-v3 (arXiv 1512.00567), section 9, table 2",
        direction="no harm",
        setting="299, 151 and 79 pixels, ImageNet",
    ),
)

if __name__ == "__main__":
    main(study)
