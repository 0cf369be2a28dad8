"""Trials that are cut at a step, and what must be the same once they have been resumed."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.training import Checkpoints, Result, fit
from paribus.training.train_state import TrainState

EVERYTHING = {
    "training.ema_decay": 0.9,
    "training.clip_norm": 2.0,
    "training.label_smoothing": 0.1,
    "model.dropout": 0.3,
    "model.dropout_placement": "branch",
    "optimizer.decay_norms_and_biases": False,
}


class Killed(BaseException):
    """As a SIGKILL would end the trial: nothing of ours catches it."""


def killed_after(monkeypatch: pytest.MonkeyPatch, num_steps: int, *trial: object, checkpoint: Checkpoints) -> None:
    step = TrainState.step

    def dying_step(self: TrainState, *arguments: object) -> object:
        if arguments[2] == num_steps:
            raise Killed
        return step(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(TrainState, "step", dying_step)
        with pytest.raises(Killed):
            fit(*trial, checkpoint=checkpoint)  # type: ignore[arg-type]


def assert_same(one: Result, other: Result) -> None:
    timed = ("images_per_s", "data_wait")
    assert {k: v for k, v in one.metrics.items() if k not in timed} == {
        k: v for k, v in other.metrics.items() if k not in timed
    }
    assert one.stream_hashes == other.stream_hashes
    assert one.examples is not None
    assert other.examples is not None
    np.testing.assert_array_equal(one.examples.log_likelihood, other.examples.log_likelihood)
    for name, curve in one.curves.items():
        np.testing.assert_array_equal(curve, other.curves[name])
