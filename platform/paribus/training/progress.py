"""How far a trial has come: its counters, curves, stream hash, health and times. All of it is in a checkpoint."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from paribus.data import hash_keys
from paribus.training.errors import TrainingError
from paribus.training.result import Curves, Outcome

T = TypeVar("T")
# A net is dead when every feature of every image in this many batches in a row was zero. Momentum goes on moving the
# weights of a net without gradient for some steps and can wake it, so that one batch says little.
DEAD_STEPS = 20
# Waiting for data for a larger share of the time, and for some seconds in all, is worth a warning.
MAX_WAIT, MIN_WAIT_S = 0.1, 5.0
_CURVES = ("step", "loss", "lr", "grad_norm")


class Begun(NamedTuple):
    """Where an epoch's measurement starts."""

    num_images: int
    train_s: float
    data_wait_s: float


class Progress:
    """Mutable counters of one trial; `step` and `epochs_done` are what has been done."""

    def __init__(self, divergence_loss: float) -> None:
        self.divergence_loss = divergence_loss
        self.step = 0
        self.num_images = 0
        self.epochs_done = 0
        self.outcome: Outcome = "finished"
        self.outcome_step: int | None = None
        self.dead_since: int | None = None
        self.stream_hash = sha256(b"").hexdigest()
        self.stream_hashes: list[str] = []
        self.metrics: dict[str, float] = {}
        self.durations = {"setup_s": 0.0, "train_s": 0.0, "data_wait_s": 0.0, "eval_s": 0.0, "checkpoint_s": 0.0}
        self.curves: dict[str, list[float]] = {name: [] for name in _CURVES}
        self._unread: list[tuple[int, float, Tensor]] = []

    def advance(self, keys: Sequence[str], lr: float, measured: Tensor) -> None:
        """One step more: its sample keys, its rate, and (loss, gradient norm, largest feature) still on the device."""
        self.step += 1
        self.num_images += len(keys)
        # A hash over a hash, since a hashlib object cannot be put into a checkpoint.
        self.stream_hash = hash_keys(self.stream_hash, keys)
        self._unread.append((self.step, lr, measured))

    @property
    def ended(self) -> bool:
        """Whether the trial is over before its budget."""
        return self.outcome != "finished"

    def settle(self, every: int = 1) -> None:
        """Once `every` steps are unread, read what the device measured and judge the trial's health by it.

        Steps after a divergence are dropped.
        """
        if len(self._unread) < max(every, 1):
            return
        values = torch.stack([measured for _, _, measured in self._unread]).tolist()
        for (step, lr, _), (loss, grad_norm, peak) in zip(self._unread, values, strict=True):
            if self.outcome == "finished":
                for name, value in zip(_CURVES, (step, loss, lr, grad_norm), strict=True):
                    self.curves[name].append(value)
                self._examine(step, loss, peak)
        self._unread.clear()

    def _examine(self, step: int, loss: float, peak: float) -> None:
        if not loss <= self.divergence_loss:  # so that NaN counts too
            self.end("diverged", step)
        elif peak > 0:
            self.dead_since = None
        else:
            self.dead_since = self.dead_since or step
            if step - self.dead_since + 1 >= DEAD_STEPS:
                self.end("dead", self.dead_since)

    def end(self, outcome: Outcome, step: int) -> None:
        """Record how the trial ended, if it is not recorded yet."""
        if self.outcome == "finished":
            self.outcome, self.outcome_step = outcome, step

    def close_epoch(self, expected_step: int, is_last: bool) -> None:
        """Count the epoch, unless the trial ended in it; raises TrainingError if the feed gave too few batches."""
        self.settle()
        if is_last and self.dead_since is not None and self.step > self.dead_since:
            # The budget leaves no room for the full row of batches; two say as much as can be known.
            self.end("dead", self.dead_since)
        if self.ended:
            return
        if self.step != expected_step:
            raise TrainingError(
                f"the feed ended epoch {self.epochs_done + 1} at step {self.step} instead of {expected_step}"
            )
        self.epochs_done += 1
        self.stream_hashes.append(self.stream_hash)

    def snapshot(self) -> Begun:
        """Where the epoch, or its rest after a resumption, begins."""
        return Begun(self.num_images, self.durations["train_s"], self.durations["data_wait_s"])

    def training_metrics(self, first: int, begun: Begun) -> dict[str, float]:
        """Metrics of the epoch that began at 0-based step `first`; its pace since `begun`."""
        curves = self.curves_since(first)
        norms = curves["grad_norm"]
        # A step whose gradients float16 cannot hold is not taken: its norm says nothing of those that are.
        held = norms[np.isfinite(norms)]
        metrics = {
            "train_loss": float(curves["loss"].mean()),
            "grad_norm": float((held if len(held) else norms).mean()),
            "lr": float(curves["lr"][-1]),
        }
        wait_s = self.durations["data_wait_s"] - begun.data_wait_s
        elapsed_s = self.durations["train_s"] - begun.train_s + wait_s
        if self.num_images > begun.num_images:
            metrics["images_per_s"] = (self.num_images - begun.num_images) / elapsed_s
            metrics["data_wait"] = wait_s / elapsed_s
        return metrics

    def waiting(self, batches: Iterator[T]) -> Iterator[T]:
        """The same batches; the time that each takes to come, and to be on the device, is data_wait_s."""
        while True:
            with self.timing("data_wait_s"):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def waits_for_data(self) -> float | None:
        """The share of the time so far that went by waiting for data, where it is worth a warning."""
        wait_s = self.durations["data_wait_s"]
        share = wait_s / (wait_s + self.durations["train_s"] or 1.0)
        return share if wait_s > MIN_WAIT_S and share > MAX_WAIT else None

    def curves_since(self, first: int) -> Curves:
        """The curves from 0-based step `first` on."""
        return {name: np.asarray(values[first:], dtype=np.float64) for name, values in self.curves.items()}

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Add the seconds of the block to `durations[name]`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.durations[name] += time.perf_counter() - start

    def state(self) -> dict[str, Any]:
        """Everything, as what `torch.load(weights_only=True)` reads."""
        assert not self._unread, "settle before saving"
        plain = {name: value for name, value in vars(self).items() if name not in ("curves", "_unread")}
        return {**plain, "curves": {name: torch.tensor(v, dtype=torch.float64) for name, v in self.curves.items()}}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` gave."""
        vars(self).update({**state, "curves": {name: values.tolist() for name, values in state["curves"].items()}})
