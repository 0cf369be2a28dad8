#!/usr/bin/env python
"""What being the same each time costs: steps per second of one net with `numerics.deterministic` and without, in turns.

    tests/gpu/determinism.py [--cpu]

Eager, channels_last, as a trial trains. `--cpu` tries the script itself: there the two ways are one.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from statistics import median

import torch

from paribus.recipe import SGD, Numerics, Recipe, Resources, Seeds
from paribus.recipe.model import by_name
from paribus.training.device import compute_as, ready_device
from paribus.training.train_state import TrainState

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
# Name, side of the images, images of a batch, precision.
NETS = (
    ("WRN-16-1", 32, 128, "float32"),
    ("WRN-28-10", 32, 256, "bfloat16"),
    ("ResNet-50", 224, 256, "bfloat16"),
    ("ResNet-50", 224, 128, "float32"),
)
ROUNDS, STEPS = 5, 6


def images_per_s(name: str, size: int, batch: int, precision: str, *, on_gpu: bool) -> dict[bool, float]:
    """With determinism and without: medians of turns in random order after one to warm up."""
    from feed_shapes import FeedShapes

    published = by_name(name)
    recipe = Recipe(
        model=published.model,
        optimizer=SGD(lr=0.001),
        numerics=Numerics(channels_last=True, precision=precision),  # type: ignore[arg-type]
        resources=Resources(gpus=float(on_gpu)),
    )
    device = ready_device(recipe)
    state = TrainState(recipe, Seeds.draw(0, 0), FeedShapes(3, published.num_classes), device)  # type: ignore[arg-type]
    images = torch.randn(batch, 3, size, size).to(device, memory_format=torch.channels_last)
    labels = torch.randint(published.num_classes, (batch,)).to(device)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(ROUNDS + 1):
        for deterministic in random.sample([True, False], 2):
            compute_as(recipe.numerics.model_copy(update={"deterministic": deterministic}), device)
            start = _clock(on_gpu)
            for step in range(STEPS):
                state.step(images, labels, step, 0.001)
            if turn:
                seconds[deterministic].append(_clock(on_gpu) - start)
    return {way: batch * STEPS / median(each) for way, each in seconds.items()}


def _clock(on_gpu: bool) -> float:
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter()


def main() -> int:
    on_gpu = "--cpu" not in sys.argv[1:]
    for name, size, batch, precision in NETS if on_gpu else [("WRN-16-1", 32, 8, "float32")]:
        rate = images_per_s(name, size, batch, precision, on_gpu=on_gpu)
        print(
            f"| {name}, {precision}, {batch}x{size}x{size} | deterministic {rate[True]:,.0f} images/s, without "
            f"{rate[False]:,.0f}: x{rate[True] / rate[False]:.3f} | |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
