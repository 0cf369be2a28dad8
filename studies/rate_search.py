#!/usr/bin/env python
"""Does a search over rate, weight decay, momentum and batch size find better than the preset's own on digits?

27 settings by TPE and ASHA, then the best 3 and the preset's x 8 replicates, 3 CPU-minutes on two fifths of digits.
"""

from paribus import Choice, Float, Search, main

search = Search(
    name="rate_search",
    fixed={"model.width": 0.5, "data.train_fraction": 0.4, "budget": "9 epochs"},
    space={
        "optimizer.lr": Float(1e-3, 3.0, log=True),
        "optimizer.weight_decay": Float(1e-6, 1e-2, log=True),
        "optimizer.momentum": Float(0.0, 0.98),
        "data.batch_size": Choice(16, 32, 64),
    },
    metric="log_likelihood",  # of a hundred held-out images, top-1 has too few values
    margin=0.05,
    trials=27,
    sampler="tpe",
    scheduler="asha(eta=3)",
    confirm=8,
    top=3,
)

if __name__ == "__main__":
    main(search)
