#!/usr/bin/env python
"""Does it matter where norm and ReLU lie around a sum?  ResNet-56, 5 arms x 4 replicates, 3 CPU-minutes on digits."""

from paribus import Claim, Study, main

study = Study(
    name="activation_order",
    factors={
        "model.order": ("original", "bn_after_add", "relu_before_add", "relu_only_preactivation", "preactivation")
    },
    fixed={"model": "ResNet-56"},
    replicates=4,
    seed=1,  # depth and budget were chosen on seed 0
    claim=Claim(
        "full pre-activation makes deep residual nets easier to train",
        source="Identity Mappings (arXiv 1603.05027), section 4, table 2",
        arms={"model.order": ("preactivation",)},
        setting="ResNet-110 and -164, CIFAR-10",
    ),
)

if __name__ == "__main__":
    main(study)
