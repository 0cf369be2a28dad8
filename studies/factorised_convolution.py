#!/usr/bin/env python
"""Where may n x n convolutions be 1 x n and n x 1?  4 arms x 8 replicates, 3.6 CPU-minutes on a fifth of digits."""

from paribus import Claim, Study, main

study = Study(
    name="factorised_convolution",
    factors={"model.factorised": ((), (35,), (17,), (8,))},
    fixed={"model": "Inception-v3-digits", "data.train_fraction": 0.2, "budget.amount": 20.0},
    baseline={"model.factorised": ()},
    replicates=8,
    seed=1,
    margin=1.0,
    claim=Claim(
        "n x n convolutions can be factorised on medium grid sizes at no loss",
        source="Inception-v3 (arXiv 1512.00567), section 3.2",
        direction="no harm",
        arms={"model.factorised": ((17,), (8,))},
        setting="n = 7 on 17 x 17, ImageNet",
    ),
)

if __name__ == "__main__":
    main(study)
