"""Evaluation loss: the mean cross-entropy, which is the log-likelihood with the other sign."""

from paribus.metrics.metric import Metric

METRIC = Metric(
    name="eval_loss",
    short="evaluation loss",
    label="evaluation loss",
    unit="nats",
    sign=-1,
    sd=0.02,
    digits=4,
    needs=("log_likelihood",),
    per_example=lambda examples: examples.column("log_likelihood"),
    scale=-1.0,
    every_epoch=True,
    negative_of="log_likelihood",
    place=4,
)
