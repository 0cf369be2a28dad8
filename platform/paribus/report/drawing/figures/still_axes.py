"""The axes of a figure that is drawn once: numbers, logarithms or words, and what is marked on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.report.drawing.figures.axis import Axis
from paribus.report.numbers import amount, show_number

if TYPE_CHECKING:
    import plotly.graph_objects as go


@dataclass(frozen=True)
class Scale:
    """Where values lie in per cent of a side; `words` are the values of an axis of words, the lowest first.

    Between whole numbers, which settings and steps are, nothing is marked.
    """

    axis: Axis
    words: tuple[str, ...] = ()
    is_log: bool = False
    marked: tuple[tuple[float, str], ...] = ()
    is_whole: bool = False

    def at(self, value: Any) -> float:
        """Where a value lies, from 0 to 100."""
        number = float(self.words.index(str(value)) if self.words and isinstance(value, str) else value)
        return self.axis.at(_as_log(number) if self.is_log else number)

    def ticks(self) -> list[tuple[Any, str]]:
        """Values that are marked, and the text at each."""
        if self.marked:
            return [each for each in self.marked if -0.1 <= self.at(each[0]) <= 100.1]
        if self.words:
            return [(word, word) for word in self.words]
        if self.is_log:
            powers = range(math.floor(self.axis.low), math.ceil(self.axis.high) + 1)
            values = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
            return [(value, amount(value)) for value in values if 0 <= self.at(value) <= 100]
        low, high = sorted((self.axis.low, self.axis.high))
        ticks = [tick for tick in Axis(low, high).ticks() if not self.is_whole or float(tick).is_integer()]
        short = [show_number(tick, "g") if abs(tick) < 10_000 else amount(tick) for tick in ticks]
        if len(set(short)) < len(short):  # 175,100 and 175,120 are both 175 k
            short = [f"{tick:,.10g}" for tick in ticks]
        return list(zip(ticks, short, strict=True))


def scale_of(figure: go.Figure, side: str) -> Scale:
    """The scale of side `x` or `y`, over all that the figure has there."""
    axis = figure.layout[f"{side}axis"]
    values = list(_values(figure, side))
    if words := [value for value in values if isinstance(value, str)]:
        order = list(axis.categoryarray or dict.fromkeys(words))
        if axis.autorange == "reversed":
            order.reverse()
        return Scale(Axis(-0.5, len(order) - 0.5), words=tuple(order))
    is_log, numbers = axis.type == "log", [float(value) for value in values]
    marked = tuple(zip(axis.tickvals or (), axis.ticktext or axis.tickvals or (), strict=False))
    if axis.range is not None:
        return Scale(Axis(float(axis.range[0]), float(axis.range[1])), is_log=is_log, marked=marked)
    if is_log:
        return Scale(Axis.over(_as_log(number) for number in numbers if number > 0), is_log=True, marked=marked)
    own = Axis.over([0.0, *numbers] if axis.rangemode == "tozero" else numbers)
    if marked:  # places of words: half a place of air at either end
        own = Axis(min(place for place, _ in marked) - 0.5, max(place for place, _ in marked) + 0.5)
    if axis.autorange == "reversed":
        own = Axis(own.high, own.low)
    return Scale(own, marked=marked, is_whole=all(number.is_integer() for number in numbers))


def whiskers(trace: Any, axis: str) -> list[tuple[float, float]]:
    """The ends of each point's interval along an axis; [] where the trace has none."""
    bar = trace[f"error_{axis}"]
    if bar.array is None:
        return []
    below = bar.array if bar.arrayminus is None else bar.arrayminus
    values = [math.nan if value is None else float(value) for value in trace[axis]]
    return [
        (value - float(low), value + float(high)) for value, low, high in zip(values, below, bar.array, strict=True)
    ]


def _values(figure: go.Figure, side: str) -> Iterator[Any]:
    for trace in figure.data:
        own: Sequence[Any] = [value for value in (() if trace[side] is None else trace[side]) if value is not None]
        yield from own
        if trace.type == "scatter":
            yield from (end for ends in whiskers(trace, side) or () for end in ends)
    yield from (shape[f"{side}0"] for shape in figure.layout.shapes if side == "x")


def _as_log(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf
