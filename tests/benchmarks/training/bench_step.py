"""One training step on one core: ours beside the same net written plainly, in turns, in one process."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from feed_shapes import FeedShapes
from torch import Tensor, nn
from torch.nn import functional as F

from paribus.recipe import Recipe, Seeds, WideResNet
from paribus.training.progress import Progress
from paribus.training.schedules import lr_at
from paribus.training.train_state import TrainState

BATCH, ROUNDS = 64, 15


class PlainUnit(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.bn2 = nn.BatchNorm2d(c_in), nn.BatchNorm2d(c_out)
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.skip = nn.Conv2d(c_in, c_out, 1, stride, bias=False) if c_in != c_out else None

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(x))
        skip = x if self.skip is None else self.skip(out)
        return skip + self.conv2(F.relu(self.bn2(self.conv1(out))))


class PlainWideResNet(nn.Module):
    def __init__(self, depth: int, width: int, channels: int, num_classes: int) -> None:
        super().__init__()
        widths = [16, 16 * width, 32 * width, 64 * width]
        units: list[nn.Module] = [nn.Conv2d(channels, 16, 3, 1, 1, bias=False)]
        for stage in range(3):
            for index in range((depth - 4) // 6):
                first = index == 0
                units.append(PlainUnit(widths[stage + (not first)], widths[stage + 1], 2 if first and stage > 0 else 1))
        self.body, self.bn = nn.Sequential(*units), nn.BatchNorm2d(widths[3])
        self.fc = nn.Linear(widths[3], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.body(x)))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))  # type: ignore[no-any-return]


def plain_step(depth: int, width: int, images: Tensor, labels: Tensor) -> Callable[[], None]:
    net = PlainWideResNet(depth, width, images.shape[1], 10)
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    losses: list[float] = []

    def step() -> None:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())

    return step


def our_step(recipe: Recipe, images: Tensor, labels: Tensor) -> Callable[[], None]:
    shapes: Any = FeedShapes(images.shape[1], 10)
    train_state = TrainState(recipe, Seeds.draw(0, 0), shapes, torch.device("cpu"))
    progress, keys = Progress(1e9), [f"{index:08d}" for index in range(len(images))]

    def step() -> None:
        lr = lr_at(progress.step, recipe, 100_000, 100)
        progress.advance(keys, lr, train_state.step(images, labels, progress.step, lr))
        progress.settle()

    return step


def in_turns(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Milliseconds of processor time a step: the least of `rounds`, so that other work on the machine counts little."""
    best = dict.fromkeys(steps, float("inf"))
    for turn in range(rounds + 2):
        for name, step in steps.items():
            start = time.process_time()
            step()
            if turn >= 2:
                best[name] = min(best[name], 1e3 * (time.process_time() - start))
    return best


@pytest.mark.parametrize(
    ("depth", "width", "channels", "size"),
    [(16, 2, 3, 32), (16, 1, 1, 8), (40, 1, 1, 8)],
    ids=["WRN-16-2@32", "WRN-16-1@8", "WRN-40-1@8"],
)
def test_a_step_is_at_least_as_fast_as_the_plain_net(depth: int, width: int, channels: int, size: int) -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, channels, size, size, generator=generator)
    labels = torch.randint(10, (BATCH,), generator=generator)
    recipe = Recipe(model=WideResNet(depth=depth, width=float(width)))
    steps = {
        "plain": plain_step(depth, width, images, labels),
        "ours, NCHW": our_step(recipe, images, labels),
        "ours, channels_last": our_step(recipe.replace({"numerics.channels_last": True}), images, labels),
    }
    best = in_turns(steps, ROUNDS if size > 8 else 5 * ROUNDS)
    print(f"\nWRN-{depth}-{width}, {channels}x{size}x{size}, batch {BATCH}, one core:")
    for name, milliseconds in best.items():
        print(f"  {name:<20} {milliseconds:8.2f} ms a step   x{best['plain'] / milliseconds:.2f}")
    assert best["plain"] / best["ours, channels_last"] >= 1.0
