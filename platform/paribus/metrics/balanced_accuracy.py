"""Balanced accuracy: the mean over classes of the share of their examples that are right (Brodersen et al. 2010).

Classes without an evaluation example are in no mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paribus.metrics.examples import Examples
from paribus.metrics.metric import Metric

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def _per_example(examples: Examples) -> NDArray[np.float64]:
    """(n,) n / (C n_c) for an example of class c that is right, 0 for one that is wrong; C classes have examples."""
    import numpy as np

    label = examples.column("label")
    counts = np.bincount(label)
    weights = len(label) / (np.count_nonzero(counts) * counts[label])
    found: NDArray[np.float64] = weights * examples.column("correct")
    return found


def _overall(examples: Examples) -> float:
    import numpy as np

    label = examples.column("label")
    counts = np.bincount(label)
    right = np.bincount(label, weights=examples.column("correct"), minlength=len(counts))
    return 100 * float((right[counts > 0] / counts[counts > 0]).mean())


METRIC = Metric(
    name="balanced_accuracy",
    short="balanced accuracy",
    label="balanced accuracy",
    unit="points",
    level_unit="%",
    sd=0.8,  # as top-1's, which it is where classes are equally frequent
    step=100.0,  # as where classes are equally frequent; an example of a rarer one moves it by more
    needs=("label", "correct"),
    per_example=_per_example,
    scale=100.0,
    overall=_overall,
    place=5,
)
