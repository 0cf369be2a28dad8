"""What a trial gives back: an `Epoch` at every epoch's end and one `Result`."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from paribus.metrics.examples import Examples

Outcome = Literal["finished", "diverged", "dead", "stuck"]
Curves = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One epoch done.

    `metrics`: train_loss, lr (of the last step), grad_norm (mean, before clipping), images_per_s, data_wait (share of
    the time), and where this epoch was evaluated the metrics of the room `metrics` that are logged at every evaluation,
    dead_channels (share of the features before the pool that no evaluation image activates) and predicted_classes (a
    net that gives constant logits predicts 1). `curve` has one value for each step of the epoch:
    step (1-based), loss, lr, grad_norm. `stream_hash` runs over the sample keys of every batch since the first.
    """

    epoch: int  # epochs done
    step: int  # steps done
    num_steps: int  # steps planned
    metrics: dict[str, float]
    stream_hash: str
    curve: Curves
    warnings: tuple[str, ...] = ()  # what slows the trial, so far


@dataclass(frozen=True, kw_only=True)
class Result:
    """A trial's end. A diverged or dead trial has the metrics that were measured before, or none; one that came to its
    end has every metric of the room `metrics`, and of its last evaluation each example, for paired analysis.

    A trial that is `stuck` came to its end with a top-1 that is not above what guessing gives (`chance.py`); `reason`
    says so with its numbers, and it has all that a finished one has.

    `outcome_step` (1-based) is the step whose loss was not finite or above the bound, or the first of those without a
    live feature. `durations` (seconds, over all attempts): train_s, eval_s, data_wait_s, checkpoint_s, total_s.
    `peak_memory_mib` is the process's resident peak since it started, or the device's since the trial started.
    `weights` are those of the last evaluation (the averaged ones where the recipe averages), as a file that
    `decode_weights` reads; None unless the trial came to its end and `evaluation.keep_weights` says so.
    """

    outcome: Outcome
    outcome_step: int | None
    num_steps: int  # steps done
    metrics: dict[str, float]
    examples: Examples | None
    curves: Curves
    stream_hashes: tuple[str, ...]  # after every epoch
    durations: dict[str, float]
    peak_memory_mib: float
    device: str
    warnings: tuple[str, ...] = ()
    weights: bytes | None = field(default=None, repr=False)
    reason: str = ""
