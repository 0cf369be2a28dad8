"""Runs as a table of text, whatever they were read from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Of what another tracker calls a run's end, our word; "" for one that has not ended.
OUTCOMES = {
    **dict.fromkeys(("finished", "complete", "completed", "success", "succeeded", "done", "ok"), "finished"),
    **dict.fromkeys(("failed", "fail", "failure", "crashed", "killed", "error", "preempted", "interrupted"), "failed"),
    **dict.fromkeys(("diverged", "nan"), "diverged"),
    **dict.fromkeys(("stopped", "pruned"), "stopped"),
    **dict.fromkeys(("running", "waiting", "pending", "queued", "scheduled", "unfinished", ""), ""),
    "dead": "dead",
    "stuck": "stuck",
}


class ResultsError(ValueError):
    """Results that cannot be read, or not be judged as they are; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """One row a run, column to text; "" where a run has nothing.

    Args:
        source: what they were read from, for people.
        rows: in their order there.
        metrics, settings: columns that the source itself tells to be results or settings; empty where it does not.
        outcome: the column of how each run ended, in the source's words; "" where it tells none.
        lower: whether smaller values of its results are better, where it says so.
        notes: what a reader of a verdict must know of the source.
    """

    source: str
    rows: tuple[Mapping[str, str], ...]
    metrics: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    outcome: str = ""
    lower: bool | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.rows:
            raise ResultsError(f"{self.source} holds no runs")

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that some run has, in order of appearance."""
        return tuple(dict.fromkeys(column for row in self.rows for column in row))

    def values(self, column: str) -> list[str]:
        """A column, "" where a run has nothing in it."""
        return [row.get(column, "") for row in self.rows]


def as_text(value: object) -> str:
    """A cell as text: None and NaN are nothing, 3.0 is `3`, what has parts is JSON."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def flat(parts: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as one, its keys joined by dots: `{"optimizer": {"lr": 0.1}}` is `{"optimizer.lr": "0.1"}`."""
    found: dict[str, str] = {}
    for key, value in parts.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": as_text(value)}
    return found


def as_number(text: str) -> float | None:
    """The number that a cell holds; None for none. What is not finite is a number too."""
    try:
        return float(text)
    except ValueError:
        return None


def same(one: str, other: str) -> bool:
    """Whether two cells say the same: as text, or as numbers."""
    number = as_number(one)
    return one == other or (number is not None and number == as_number(other))


def last_part(column: str) -> str:
    """The last part of a dotted or slashed name, in small letters: what a column is recognised by."""
    return column.replace("/", ".").rpartition(".")[2].strip().lower().replace("-", "_").replace(" ", "_")


def listed(words: Iterable[str], most: int = 8) -> str:
    """`a, b, c and 4 more`."""
    words = list(words)
    shown = ", ".join(words[:most])
    return shown + (f" and {len(words) - most} more" if len(words) > most else "")
