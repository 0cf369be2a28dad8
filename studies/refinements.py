#!/usr/bin/env python
"""Which refinements of the bag of tricks earn their place?  5 arms, looks at 4 to 20 replicates, 15 CPU-minutes."""

from paribus import Adaptive, Claim, Study, main

IMAGES = {"data.size": 8, "data.train_fraction": 0.05, "augment.crop": "none", "augment.flip": False}
FULL = {"training.label_smoothing": 0.1, "augment.mix": "mixup", "schedule.warmup_epochs": 1.0}
study = Study(
    name="refinements",
    base="fashion_mnist",
    fixed={**IMAGES, **FULL, "data.batch_size": 64, "evaluation.every_epochs": 10},
    ablate={
        "cosine decay": {"schedule.kind": "step"},
        "label smoothing": {"training.label_smoothing": 0.0},
        "mixup": {"augment.mix": "none"},
        "warm-up": {"schedule.warmup_epochs": 0.0},
    },
    replicates=Adaptive((4, 6, 9, 13, 20)),
    claim=Claim(
        "a net is worse without cosine decay, label smoothing or mixup: 0.75, 0.4 and 0.6 points",
        source="Bag of Tricks (arXiv 1812.01187), table 6",
        direction="worse",
        setting="ResNet-50, ImageNet, 120 and 200 epochs",
    ),
)
if __name__ == "__main__":
    main(study)
