#!/usr/bin/env python
"""Does damping keep a net alive that has no normalisation?

8 arms x 10 replicates, 2 CPU-minutes on digits.
"""

from paribus import Claim, Study, main

study = Study(
    name="residual_scale_without_norm",
    factors={"model.depth": (16, 40), "model.residual_scale": (0.1, 0.2, 0.3, 1.0)},
    baseline={"model.residual_scale": 1.0},  # at each depth
    fixed={"model.norm": "none", "optimizer.lr": 1.0},
    replicates=10,  # an exact test on deaths needs 8 of them before it can resolve six contrasts
    claim=Claim(
        "scaling residuals by about 0.1 keeps wide nets from dying early in training",
        source="Inception-v4 (arXiv 1602.07261), section 3.3 and figure 20",
        direction="stabler",
        arms={"model.residual_scale": (0.1,)},
        setting="Inception-ResNet with batch norm and over 1,000 filters in the last grid, ImageNet, RMSProp",
    ),
)

if __name__ == "__main__":
    main(study)
