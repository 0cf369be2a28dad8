"""Real images in memory, as a feed: scikit-learn's digits."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from paribus.recipe import Recipe, Seeds, key


@dataclass(frozen=True)
class MemoryBatch:
    images: Tensor
    labels: Tensor
    keys: list[str]

    def on(self, device: torch.device, memory_format: torch.memory_format = torch.contiguous_format) -> Tensor:
        return self.images.to(device, memory_format=memory_format)


@dataclass(frozen=True)
class DigitsFeed:
    """Follows training's Feed protocol; each image is shifted by up to a pixel, keyed by (augment seed, epoch, key)."""

    batch_size: int = 64
    num_train: int = 320
    num_eval: int = 197
    shifts: bool = True
    digest: str = "0" * 64
    num_classes: int = 10
    channels: int = 1

    @property
    def steps_per_epoch(self) -> int:
        return self.num_train // self.batch_size

    @cached_property
    def _digits(self) -> tuple[Tensor, Tensor]:
        digits = load_digits()
        images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
        return (images - images.mean()) / images.std(), torch.tensor(digits.target)

    @property
    def eval_keys(self) -> list[str]:
        return [f"{index:06d}" for index in range(1400, 1400 + self.num_eval)]

    def batches(self, order_seed: int, augment_seed: int, epoch: int, start_step: int = 0) -> Iterator[MemoryBatch]:
        order = np.random.default_rng(key(order_seed, epoch)).permutation(self.num_train)
        for step in range(start_step, self.steps_per_epoch):
            chosen = order[step * self.batch_size : (step + 1) * self.batch_size]
            yield self._batch([int(index) for index in chosen], augment_seed, epoch)

    def bottleneck(self, share: float) -> str:
        return f"memory is slow: {share:.0%}"

    def evaluation(self) -> Iterator[MemoryBatch]:
        for start in range(1400, 1400 + self.num_eval, 100):
            yield self._batch(list(range(start, min(start + 100, 1400 + self.num_eval))))

    def _batch(self, indices: list[int], augment_seed: int = 0, epoch: int = -1) -> MemoryBatch:
        images, labels = self._digits
        chosen = images[indices]
        if epoch >= 0 and self.shifts:
            rolls = [key(augment_seed, epoch, index) % 3 - 1 for index in indices]
            chosen = torch.stack([image.roll(roll, 2) for image, roll in zip(chosen, rolls, strict=True)])
        return MemoryBatch(chosen, labels[indices], [f"{index:06d}" for index in indices])


@pytest.fixture(scope="session")
def feed() -> DigitsFeed:
    return DigitsFeed()


@pytest.fixture
def tiny() -> Recipe:
    """WRN-10-0.5 for three epochs of five steps."""
    return Recipe().replace({"model.depth": 10, "model.width": 0.5, "budget": "3 epochs"})


@pytest.fixture
def seeds() -> Seeds:
    return Seeds.draw(0, 0)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
