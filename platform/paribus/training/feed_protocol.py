"""What training asks of a dataset; `paribus.data.open_feed` gives one, and so may a notebook's own class."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor


class Batch(Protocol):
    """Samples of one step."""

    def on(self, device: torch.device, memory_format: torch.memory_format) -> Tensor:
        """(N, C, H, W) float32, normalised, on `device`."""

    @property
    def labels(self) -> Tensor:
        """(N,) int64."""

    @property
    def keys(self) -> Sequence[str]:
        """The N sample keys."""


class Feed(Protocol):
    """A dataset as batches. The batch at (order seed, augment seed, epoch, step) is a pure function of these four."""

    @property
    def digest(self) -> str:
        """The hash of the dataset's manifest."""

    @property
    def num_train(self) -> int:
        """Training samples, after `holdout` and `train_fraction`."""

    @property
    def num_eval(self) -> int:
        """Evaluation samples: of the evaluation split, or those that `holdout` keeps apart."""

    @property
    def num_classes(self) -> int:
        """Classes."""

    @property
    def channels(self) -> int:
        """Channels of an image."""

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches of an epoch; the partial last one is dropped."""

    @property
    def eval_keys(self) -> Sequence[str]:
        """The keys of the evaluation split, in the order in which `evaluation` gives them."""

    def batches(self, order_seed: int, augment_seed: int, epoch: int, start_step: int = 0) -> Iterator[Batch]:
        """The training batches of `epoch` (0-based) from its `start_step` (0-based) on."""

    def bottleneck(self, share: float) -> str:
        """What holds up training that waits for data for a `share` of its time, and what to change."""

    def evaluation(self) -> Iterator[Batch]:
        """Every evaluation sample once, in a fixed order."""


class SharedBatch(Batch, Protocol):
    """A rank's share of a batch."""

    @property
    def undecodable(self) -> Sequence[str]:
        """The keys of the share's samples that did not decode and are missing in it."""


class SharedFeed(Feed, Protocol):
    """What training on several ranks asks of a dataset beyond that: shares of batches, which may be empty."""

    @property
    def opening(self) -> "Callable[[int, int], SharedFeed]":
        """Opens (rank, size)'s share of the same data in a process of its own: it can be pickled."""

    def check_undecodable(self, met: Sequence[str], left: int) -> None:
        """Raise if `met`, the samples of the epoch that did not decode, are too many, or none is `left` of a batch."""
