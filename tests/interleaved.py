"""Measuring several ways of doing one thing: in turns, so that a busy moment of the machine strikes all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ROUNDS = 7


def rates(ways: Mapping[str, Callable[[], int]], rounds: int = ROUNDS) -> dict[str, float]:
    """Best items per CPU-second of this process over rounds in turns; each way returns how many items it did."""
    best = dict.fromkeys(ways, 0.0)
    for _ in range(rounds):
        for name, run in ways.items():
            start = time.process_time()
            num = run()
            best[name] = max(best[name], num / (time.process_time() - start))
    return best


@dataclass(frozen=True)
class Row:
    """What was measured, and its goal: at least that, or at most, in `unit`."""

    name: str
    value: float
    goal: float
    unit: str = "x"
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def table(rows: Sequence[Row]) -> bool:
    """Print the rows; whether all goals are met."""
    wide = max(len(row.name) for row in rows)
    print()
    for row in rows:
        goal = f"{'at most' if row.at_most else 'at least'} {row.goal:g}{row.unit}"
        print(f"{row.name:{wide}}  {row.value:8.2f}{row.unit:4} {goal:16} {'met' if row.is_met else 'NOT MET'}")
    return all(row.is_met for row in rows)
