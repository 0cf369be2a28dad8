"""Mean log-likelihood: of the label, in nats; the metric with the most power, for every example tells a number."""

from paribus.metrics.metric import Metric

METRIC = Metric(
    name="log_likelihood",
    short="log-likelihood",
    label="mean log-likelihood",
    unit="nats",
    sd=0.02,
    digits=4,
    needs=("log_likelihood",),
    per_example=lambda examples: examples.column("log_likelihood"),
    every_epoch=True,
    headline=True,
    place=3,
)
