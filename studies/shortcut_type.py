#!/usr/bin/env python
"""Is anything on a shortcut better than nothing?  6 arms x 4 replicates, 4 CPU-minutes on digits."""

from paribus import Claim, Study, main

OTHERS = ({"model.dropout": 0.5, "model.dropout_placement": "shortcut"}, {"model.projection": "C"})
GATES = tuple({"model.shortcut": kind} for kind in ("exclusive_gate", "shortcut_gate"))
study = Study(
    name="shortcut_type",
    design="explicit",
    arms_listed=({}, {"model.shortcut_scale": 0.5}, *OTHERS, *GATES),
    fixed={"model": "ResNet-56", "model.order": "preactivation", "model.gate_bias": -6.0},
    replicates=4,
    seed=1,  # depth and order were chosen on seed 0
    claim=Claim(
        "identity shortcuts are the best: whatever multiplies them hampers propagation",
        source="Identity Mappings (arXiv 1603.05027), section 3, table 1",
        direction="worse",
        setting="post-activation ResNet-110, CIFAR-10",
    ),
)

if __name__ == "__main__":
    main(study)
