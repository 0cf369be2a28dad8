"""A walk with several workers at once, on made curves and without a clock of its own."""

from __future__ import annotations

import random

from paribus.engine.searches.tried import Go
from paribus.engine.searches.walk import Walk

EPOCHS = 9


def value(number: int, epoch: int) -> float:
    """Of noisy curves: better with every epoch."""
    drawn = random.Random(number)
    return drawn.uniform(40, 90) * (1 - 0.7**epoch) + random.Random(100 * number + epoch).gauss(0, 3)


class Crowd:
    """A walk with several workers, each of which needs a while of its own for an epoch; #4 diverges in its first."""

    def __init__(self, walk: Walk, workers: int = 4) -> None:
        self.walk, self.workers = walk, workers
        self.running: list[tuple[float, int, int]] = []
        self.clock, self.steps = 0.0, list[tuple[int, int]]()

    def on(self, most: int = 10_000) -> list[tuple[int, int]]:
        """Up to `most` epochs; the (number, epoch) of each in the order in which they ended."""
        while most:
            while len(self.running) < self.workers and isinstance(go := self.walk.next(), Go):
                number, until = go.tried.number, go.until or EPOCHS
                pace = 1 + random.Random(number).random()
                self.running.append((self.clock + pace, number, until))
            if not self.running:
                break
            self.clock, number, epoch = min(self.running)
            self.running.remove((self.clock, number, epoch))
            self._tell(number, epoch)
            most -= 1
        return self.steps

    def _tell(self, number: int, epoch: int) -> None:
        self.steps.append((number, epoch))
        if (number, epoch) == (4, 1):
            self.walk.ended(number, "diverged", {}, reason="at epoch 1")
        elif epoch == EPOCHS:
            self.walk.ended(number, "finished", {"top1": value(number, epoch), "total_s": 1.0})
        else:
            self.walk.seen(number, epoch, value(number, epoch))
            self.walk.paused(number, epoch)
        for each, reason in self.walk.hopeless().items():
            self.walk.cut(each, reason)
