#!/usr/bin/env python
"""Which of the settings of digits_curves.parquet is best?  A search for `paribus simulate`, over that table's space."""

from paribus import Choice, Float, Search, main

search = Search(
    name="digits_search",
    fixed={
        "model.depth": 10,
        "model.dropout_placement": "branch",
        "data.train_fraction": 0.3,
        "budget": "12 epochs",
    },
    space={
        "optimizer.kind": Choice("sgd", "rmsprop", "muon"),
        "optimizer.lr": Float(3e-3, 10.0, log=True),
        "optimizer.weight_decay": Float(1e-6, 0.1, log=True),
        "optimizer.momentum": Float(0.4, 0.99),
        "schedule.kind": Choice("cosine", "one_cycle", "step"),
        "data.batch_size": Choice(32, 64, 128),
        "model.width": Choice(0.25, 0.5, 1.0),
        "model.norm": Choice("batch", "none"),
        "model.dropout": Float(0.0, 0.3),
        "training.label_smoothing": Float(0.0, 0.3),
    },
    metric="log_likelihood",
    margin=0.02,
    trials=60,
    sampler="tpe",
    scheduler="asha",
)

if __name__ == "__main__":
    main(search)
