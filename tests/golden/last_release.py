#!/usr/bin/env python
"""Does a rate twice as high, or one that teaches nothing, change a tiny net?  4 arms x 4 replicates, at c72fe33."""

from paribus import Claim, Study

study = Study(
    name="last_release",
    factors={"optimizer.lr": (0.1, 0.2, 1e-6, 1e6)},
    fixed={"model.depth": 10, "model.width": 0.25, "budget": "2 epochs"},
    replicates=4,
    margin=5.0,
    claim=Claim(
        "a rate twice as high does no harm",
        source="made for a test of old ledgers",
        arms={"optimizer.lr": (0.2,)},
    ),
)

if __name__ == "__main__":
    study.main()
