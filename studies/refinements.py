#!/usr/bin/env python
"""Which refinements of the bag of tricks earn their place?  5 arms, looks at 4 to 20 replicates, 3.6 CPU-minutes."""

from paribus import Adaptive, Claim, Study, main

IMAGES = {"data.size": 8, "data.train_fraction": 0.02, "augment.crop": "none", "augment.flip": False}
FULL = {"training.label_smoothing": 0.1, "augment.mix": "mixup", "schedule.warmup_epochs": 1.0}
DECAY, WARM_UP = {"schedule.kind": "step"}, {"schedule.warmup_epochs": 0.0}
study = Study(
    name="refinements",
    base="fashion_mnist",
    fixed={**IMAGES, **FULL, "data.batch_size": 64, "evaluation.every_epochs": 10},
    ablate={"cosine decay": DECAY, "training.label_smoothing": 0.0, "augment.mix": "none", "warm-up": WARM_UP},
    replicates=Adaptive((4, 6, 9, 13, 20)),
    claim=Claim(
        "cosine decay, label smoothing and mixup each improve a net",
        source="Bag of Tricks (arXiv 1812.01187), table 6",
        direction="worse",
        arms={"schedule.warmup_epochs": (1.0,)},  # it gives no number for the warm-up alone
        setting="added one by one to ResNet-50-D, ImageNet",
    ),
)
if __name__ == "__main__":
    main(study)
