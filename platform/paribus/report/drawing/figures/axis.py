"""A scale of a figure that is as wide as its page: values to per cent of the width, and round numbers to mark."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`, of which a figure is as wide or as high."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> Axis:
        """Over the finite values, with a little air; from 0 to 1 where there are none."""
        finite = [value for value in values if math.isfinite(value)]
        if not finite:
            return cls(0.0, 1.0)
        low, high = min(finite), max(finite)
        air = 0.04 * (high - low) or 0.5 * abs(high) or 1.0
        return cls(low - air, high + air)

    def at(self, value: float, size: float = 100.0) -> float:
        """Where a value lies, in 0 to `size`, to two digits."""
        return round(size * (value - self.low) / (self.high - self.low), 2)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers on it, `most` or fewer: steps of 1, 2 or 5 times a power of ten."""
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / most))
        step = next(step * times for times in (1, 2, 5, 10, 20) if (self.high - self.low) / (step * times) <= most)
        first = math.ceil(self.low / step)
        return [round(number * step, 12) for number in range(first, math.floor(self.high / step) + 1)]
