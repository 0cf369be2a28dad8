#!/usr/bin/env python
"""Does a warm-up keep a net alive that damping would?  12 arms x 14 replicates, 3 CPU-minutes on digits."""

from paribus import Claim, Study, main

WARM_UPS = ((0.0, 1e-5), (3.0, 1e-5), (3.0, 0.03))  # epochs and rate: none, the paper's, one at which the net learns
PATHS = ("schedule.warmup_epochs", "schedule.warmup_lr", "optimizer.lr", "model.residual_scale")
LEVELS = [(*warm_up, rate, scale) for warm_up in WARM_UPS for rate in (0.3, 1.0) for scale in (0.1, 1.0)]
study = Study(
    name="warmup_against_scaling",
    design="explicit",
    arms_listed=tuple(dict(zip(PATHS, levels, strict=True)) for levels in LEVELS),
    baseline={"model.residual_scale": 1.0},  # at each rate, after the same warm-up
    fixed={"model.norm": "none"},  # with batch norm nothing dies
    replicates=14,  # an exact test on deaths takes many
    seed=1,  # rates, warm-ups and replicates were chosen on seed 0
    claim=Claim(
        "a first stage at a rate of 0.00001 does not keep the widest nets alive; scaling the residuals does",
        source="Inception-v4 (arXiv 1602.07261), section 3.3",
        direction="stabler",
        arms={"schedule.warmup_epochs": (3.0,), "schedule.warmup_lr": (1e-5,), "model.residual_scale": (0.1,)},
    ),
)
if __name__ == "__main__":
    main(study)
