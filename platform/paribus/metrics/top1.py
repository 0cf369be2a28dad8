"""Top-1 accuracy: the share of examples whose label has the highest score."""

from paribus.metrics.metric import Metric

METRIC = Metric(
    name="top1",
    short="top-1",
    label="top-1 accuracy",
    unit="points",
    level_unit="%",
    # CIFAR-10 ResNets after 4 to 64 epochs have 0.56 to 0.15 points between runs (Jordan 2023, section 3); a proxy
    # trial sits at the noisy end, and unpaired deltas have sqrt(2) of that.
    sd=0.8,
    step=100.0,
    is_accuracy=True,
    needs=("correct",),
    per_example=lambda examples: examples.column("correct"),
    scale=100.0,
    every_epoch=True,
    headline=True,
    place=1,
)
