"""Top-5 accuracy: the share of examples whose label is among the five highest scores."""

from paribus.metrics.metric import Metric

METRIC = Metric(
    name="top5",
    short="top-5",
    label="top-5 accuracy",
    unit="points",
    level_unit="%",
    sd=0.8,
    step=100.0,
    is_accuracy=True,
    needs=("among5",),
    per_example=lambda examples: examples.column("among5"),
    scale=100.0,
    every_epoch=True,
    place=2,
)
