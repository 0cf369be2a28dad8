#!/usr/bin/env python
"""Does damping the residual branch help at a high learning rate?  8 arms x 14 replicates, 8 CPU-minutes on digits."""

from paribus import Claim, Study, main

study = Study(
    name="residual_scale",
    factors={"model.depth": (16, 40), "model.residual_scale": (0.1, 0.2, 0.3, 1.0)},
    baseline={"model.residual_scale": 1.0},  # at each depth
    fixed={"optimizer.lr": 1.0},  # ten times the usual rate: at 0.1 every arm trains well and nothing can show
    replicates=14,
    seed=1,  # levels, margin and replicates were chosen on seed 0
    margin=1.0,  # points: four of the 397 test images
    claim=Claim(
        "scaling residuals by 0.1 to 0.3 stabilises training and never seems to harm the final accuracy",
        source="Inception-v4 (arXiv 1602.07261), section 3.3",
        direction="no harm",
        setting="Inception-ResNet with over 1,000 filters in the last grid, ImageNet, RMSProp",
    ),
)

if __name__ == "__main__":
    main(study)
