#!/usr/bin/env python
"""Does a search over rate, weight decay, momentum and batch size find better than the preset's own on digits?

The search sees a held-out fifth of the training split alone. Its three best settings and the preset's are then trained
again on fresh seeds with the whole training split, and judged on the evaluation split, which the search never saw.
"""

from paribus import Choice, Float, Search, main

search = Search(
    name="rate_search",
    base="digits",
    fixed={"model.width": 0.5, "budget": "9 epochs"},
    space={
        "optimizer.lr": Float(1e-3, 3.0, log=True),
        "optimizer.weight_decay": Float(1e-6, 1e-2, log=True),
        "optimizer.momentum": Float(0.0, 0.98),
        "data.batch_size": Choice(16, 32, 64, 128),
    },
    trials=27,
    sampler="tpe",
    scheduler="asha(eta=3)",
    confirm=8,
    top=3,
)

if __name__ == "__main__":
    main(search)
