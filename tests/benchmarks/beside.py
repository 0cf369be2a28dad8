"""A training step and the feed of this checkout beside those of another one, such as the last release.

    git worktree add ../old COMMIT && make -C ../old env
    .venv/bin/python tests/benchmarks/beside.py ../old [ROUNDS]

Both are measured by the benchmark files of this checkout, each with the `paribus` and the environment of its own: one
process for each lives through the run, and they take turns, in random order, one step or one epoch of the feed at a
time. What is printed is the median over rounds of (CPU seconds there) / (CPU seconds here), above 1 where this checkout
is faster, with its quartiles; and the same of a second process of this checkout, which tells what the machine adds.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from types import TracebackType

HERE = Path(__file__).resolve()
# Steps of WRN-16-1 and WRN-40-1 on digits take milliseconds: some of them are one turn.
STEPS = {"step, WRN-16-2, 3x32x32": (16, 2, 3, 32, 1), "step, WRN-16-1, 1x8x8": (16, 1, 1, 8, 10)}
STEPS |= {"step, WRN-40-1, 1x8x8": (40, 1, 1, 8, 4)}
FEEDS = {"feed, as they are, uint8": (None, "uint8"), "feed, as they are, float": (None, "float")}
FEEDS |= {"feed, short side 256, uint8": (256, "uint8"), "feed, short side 256, float": (256, "float")}
DIGITS = "feed, digits in memory"
WARM_UP = 3


class Contestant:
    """A process with the `paribus` of one checkout, which does one turn at a time when it is told to."""

    def __init__(self, checkout: Path, images: Path) -> None:
        python = checkout / ".venv/bin/python"
        command = [str(python), str(HERE), "serve", str(images)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Contestant:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._process.communicate()

    def seconds(self, name: str) -> float:
        """CPU seconds of one turn."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(name, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())


def serve(images: Path) -> None:
    """Do the turns that are named on standard input; answer each with its CPU seconds."""
    ways = ways_of(images)
    for line in sys.stdin:
        begun = time.process_time()
        ways[line.strip()]()
        print(time.process_time() - begun, flush=True)


def ways_of(images: Path) -> dict[str, Callable[[], object]]:
    """Every turn by its name, of the `paribus` that this process imports."""
    sys.path[:0] = [str(HERE.parent / "training"), str(HERE.parent / "data"), str(HERE.parent.parent)]
    import torch
    from bench_feed import opened, ours
    from bench_step import BATCH, our_step

    from paribus.recipe import Recipe, WideResNet

    torch.set_num_threads(1)
    ways: dict[str, Callable[[], object]] = {}
    for name, (depth, width, channels, size, times) in STEPS.items():
        recipe = Recipe(model=WideResNet(depth=depth, width=float(width))).replace({"numerics.channels_last": True})
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randn(BATCH, channels, size, size, generator=generator)
        step = our_step(recipe, pixels, torch.randint(10, (BATCH,), generator=generator))
        ways[name] = lambda step=step, times=times: [step() for _ in range(times)]  # type: ignore[misc]
    for name, (side, output) in FEEDS.items():
        ways[name] = ours(opened(images, side), output)  # type: ignore[arg-type]
    ways[DIGITS] = _digits(images)
    return ways


def _digits(home: Path) -> Callable[[], object]:
    """Four epochs of a set that stays decoded, padded, cropped and flipped: all that it costs is Python and NumPy."""
    from itertools import count

    from paribus.data import open_feed
    from paribus.recipe import preset

    feed = open_feed(preset("digits").replace({"augment.crop": "pad", "augment.pad": 2, "augment.flip": True}), home)
    epochs = count()
    return lambda: [sum(len(batch.images) for batch in feed.batches(1, 2, epoch=next(epochs))) for _ in range(4)]


def main(other: Path, rounds: int) -> None:
    """Print the ratios of `rounds` rounds against the checkout `other`."""
    sys.path[:0] = [str(HERE.parent / "data"), str(HERE.parent.parent)]
    from bench_feed import made

    here = HERE.parent.parent.parent
    with tempfile.TemporaryDirectory(prefix="paribus-beside-") as folder:
        images = Path(folder)
        for side in (None, 256):
            made(images, side)
        with Contestant(here, images) as mine, Contestant(other, images) as old, Contestant(here, images) as again:
            contestants = {"mine": mine, "old": old, "again": again}
            print(f"{'':30} there / here (quartiles)        here / here (quartiles)   of {rounds} rounds")
            for name in [*STEPS, *FEEDS, DIGITS]:
                print(f"{name:30} {'      '.join(ratios(contestants, name, rounds))}", flush=True)


def ratios(contestants: dict[str, Contestant], name: str, rounds: int) -> list[str]:
    """The other checkout's and the second process's time over this one's, as text."""
    taken: dict[str, list[float]] = {who: [] for who in contestants}
    for turn in range(rounds + WARM_UP):
        for who in random.sample(list(contestants), len(contestants)):
            seconds = contestants[who].seconds(name)
            if turn >= WARM_UP:
                taken[who].append(seconds)
    return [
        _with_quartiles([a / b for a, b in zip(taken[who], taken["mine"], strict=True)]) for who in ("old", "again")
    ]


def _with_quartiles(found: list[float]) -> str:
    low, _, high = quantiles(found, n=4)
    return f"x{median(found):.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 40)
