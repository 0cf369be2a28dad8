"""Expected calibration error (Guo et al. 2017, equation 3), in points, over 15 bins of equal width.

Bin m of M holds the examples whose top probability is in ((m - 1) / M, m / M]. ECE = sum over bins of |B_m| / n times
the absolute difference of the share of right answers in the bin and its mean top probability. It is no mean over
examples, so that it has no value per example and no interval over them; replicates give its intervals. It is biased
upwards by about the noise of a bin's share, alike in arms that are judged on the same examples.
"""

from paribus.metrics.examples import Examples
from paribus.metrics.metric import Metric

NUM_BINS = 15


def _overall(examples: Examples) -> float:
    import numpy as np

    confidence = examples.column("top_probability").astype(np.float64)
    bins = np.clip(np.ceil(confidence * NUM_BINS).astype(np.int64) - 1, 0, NUM_BINS - 1)
    gaps = np.bincount(bins, weights=examples.column("correct") - confidence, minlength=NUM_BINS)
    return 100 * float(np.abs(gaps).sum()) / len(confidence)


METRIC = Metric(
    name="ece",
    short="ECE",
    label="expected calibration error",
    unit="points",
    sign=-1,
    sd=0.5,  # assumed: Guo et al. report no spread; below top-1's, whose errors it averages within bins
    needs=("correct", "top_probability"),
    overall=_overall,
    place=7,
)
