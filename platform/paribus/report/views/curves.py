"""Learning curves as plain data; `curve_lines` draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paribus.metrics.known import METRICS

if TYPE_CHECKING:
    from paribus.tracking.history import Point

MAX_POINTS = 2000
# What a worker logs every epoch, as people call it.
CURVES: Final[Mapping[str, str]] = {
    **{name: f"{metric.label} ({metric.of_level})" for name, metric in METRICS.items()},
    "train_loss": "training loss (nats)",
    "grad_norm": "gradient norm",
    "dead_channels": "share of dead channels before the pool",
    "lr": "learning rate",
}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One replicate of one arm: `y` against `x` (epochs or steps), and the word for how the trial stands."""

    arm: str
    replicate: int
    x: Sequence[float]
    y: Sequence[float]
    outcome: str = "finished"


def curve_of(arm: str, replicate: int, state: str, points: Sequence[Point]) -> Curve:
    """A metric's curve over the training steps, of at most about MAX_POINTS points, the last one among them."""
    stride = -(-len(points) // MAX_POINTS)
    thinned = points if stride < 2 else [*points[:-1:stride], points[-1]]
    x, y = [point.step for point in thinned], [point.value for point in thinned]
    return Curve(arm=arm, replicate=replicate, x=x, y=y, outcome=state)
