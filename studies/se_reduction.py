#!/usr/bin/env python
"""Does squeeze-and-excitation help, and does its reduction r matter?

WRN-16-1, 5 arms x 8 replicates, 1.6 CPU-minutes on a fifth of digits.
"""

from paribus import Claim, Study, main

study = Study(
    name="se_reduction",
    design="explicit",
    arms_listed=({}, *({"model.se.place": "standard", "model.se.reduction": r} for r in (2, 4, 8, 16))),
    fixed={"data.train_fraction": 0.2, "budget.amount": 20.0},
    replicates=8,
    seed=1,
    claim=Claim(
        "SE blocks improve a net, about equally over a range of r",
        source="Squeeze-and-Excitation Networks (arXiv 1709.01507), section 6.1, table 10",
        setting="SE-ResNet-50 with r 2 to 32, ImageNet-1K",
    ),
)

if __name__ == "__main__":
    main(study)
