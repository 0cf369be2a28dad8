"""Brier score (1950): the mean over examples of the sum over classes of (probability - outcome) ** 2, from 0 to 2.

The outcome is 1 for the label and 0 for every other class. It needs every class's probability, so what is kept of an
example is this sum.
"""

from paribus.metrics.metric import Metric

METRIC = Metric(
    name="brier",
    short="Brier score",
    label="Brier score",
    unit="squared probability",
    sign=-1,
    # Near top-1's: one example in a hundred that turns from sure and right to sure and wrong is 1 point and 0.02.
    sd=0.01,
    digits=4,
    needs=("brier",),
    per_example=lambda examples: examples.column("brier"),
    place=6,
)
