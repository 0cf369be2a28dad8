#!/usr/bin/env python
"""How do 400 settings of a small net learn the digits?  400 arms x 5 replicates x 12 epochs, the table of curves."""

import math
from collections.abc import Mapping

from paribus import Study, main
from paribus.recipe.seeds import key

NUM_SETTINGS = 400

# Drawn widely: about one setting in four is of no use, as in a search of one who does not know the problem.
SPACE: Mapping[str, tuple[object, ...]] = {
    "optimizer.kind": ("sgd", "rmsprop", "muon"),
    "optimizer.lr": ("log", 3e-3, 10.0),
    "optimizer.weight_decay": ("log", 1e-6, 0.1),
    "optimizer.momentum": ("linear", 0.4, 0.99),
    "schedule.kind": ("cosine", "one_cycle", "step"),
    "data.batch_size": (32, 64, 128),
    "model.width": (0.25, 0.5, 1.0),
    "model.norm": ("batch", "none"),
    "model.dropout": ("linear", 0.0, 0.3),
    "training.label_smoothing": ("linear", 0.0, 0.3),
}


def drawn(number: int) -> dict[str, object]:
    """Setting `number` of the space, each field by a key of its own; three significant digits."""
    return {path: _level(scale, key("digits_curves", number, path) / 2**63) for path, scale in SPACE.items()}


def _level(scale: tuple[object, ...], share: float) -> object:
    if scale[0] not in ("log", "linear"):
        return scale[int(share * len(scale))]
    _, low, high = scale
    assert isinstance(low, float)
    assert isinstance(high, float)
    value = low * math.exp(share * math.log(high / low)) if scale[0] == "log" else low + share * (high - low)
    return float(f"{value:.3g}")


study = Study(
    name="digits_curves",
    design="explicit",
    arms_listed=[drawn(number) for number in range(NUM_SETTINGS)],
    # 422 of the 1,400 training scans: settings then differ by more than replicates, and a trial takes a second.
    fixed={
        "model.depth": 10,
        "model.dropout_placement": "branch",
        "data.train_fraction": 0.3,
        "budget": "12 epochs",
        "evaluation.keep_weights": False,
    },
    baseline=drawn(0),
    replicates=5,
    seed=10,
)

if __name__ == "__main__":
    main(study)
