"""What a metric is: its name, how it is written and compared, and how examples become one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.metrics.examples import COLUMNS, Examples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Mean = Callable[["NDArray[Any]"], float]


class MetricError(ValueError):
    """A metric that there is not, or a file that is none; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric over evaluation examples: `scale` times the mean of `per_example`, or what `overall` makes of them.

    Args:
        name: in recipes of studies, records and MLflow; the name of its file.
        short: for the head of a column, such as `top-1`.
        label: for the axis of a figure, such as `top-1 accuracy`.
        unit: of a difference, such as `points`.
        sd: spread between replicates to plan with where the ledger has measured none, in the unit.
        needs: columns of `Examples` that it is computed from; where one was not kept, there is no value.
        sign: +1 where larger is better, else -1.
        level_unit: of a value where it is another than a difference's: `%` of an accuracy.
        digits: behind the point, for people.
        step: what one of n examples moves it by, times n; 0 where no step is smallest. Of an accuracy in points: 100.
        is_accuracy: `per_example` tells right from wrong: intervals are those of proportions.
        per_example: (n,) numbers or bools whose mean times `scale` is the metric; None where it has no such.
        scale: see there; the paired difference of an example, in the unit, is `scale` times that of these.
        overall: the metric in its unit, where it is no mean, or more exactly than as one.
        every_epoch: whether it is logged at every evaluation; all are at the last.
        headline: whether a line that has room for two metrics names it.
        negative_of: the metric that it repeats with the other sign: tables of values need only one of the two.
        place: lower comes first in tables; equal ones by name.

    Raises:
        MetricError: neither `per_example` nor `overall`, columns that there are not, or numbers out of range.
    """

    name: str
    short: str
    label: str
    unit: str
    sd: float
    needs: tuple[str, ...]
    sign: int = 1
    level_unit: str = ""
    digits: int = 2
    step: float = 0.0
    is_accuracy: bool = False
    per_example: Callable[[Examples], NDArray[Any]] | None = None
    scale: float = 1.0
    overall: Callable[[Examples], float] | None = None
    every_epoch: bool = False
    headline: bool = False
    negative_of: str = ""
    place: int = 100

    def __post_init__(self) -> None:
        if self.per_example is None and self.overall is None:
            raise MetricError(f"the metric {self.name!r} has no value: give it per_example, overall or both")
        if unknown := [column for column in self.needs if column not in COLUMNS]:
            raise MetricError(f"the metric {self.name!r} needs {unknown[0]!r}: examples have {', '.join(COLUMNS)}")
        if self.sign not in (1, -1) or not self.sd > 0 or self.step < 0:
            raise MetricError(
                f"the metric {self.name!r} has sign {self.sign}, sd {self.sd:g} and step {self.step:g}: the sign is "
                "1 or -1, the sd above 0, the step 0 or above"
            )

    @property
    def of_level(self) -> str:
        """The unit of a value: `%` of an accuracy, whose differences are in points."""
        return self.level_unit or self.unit

    def show(self, value: float, sign: str = "") -> str:
        """A value with the metric's digits, without unit; `sign` is "+" for a difference."""
        return f"{value:{sign}.{self.digits}f}"

    def of(self, examples: Examples, mean: Mean | None = None) -> float | None:
        """The metric of these examples in its unit; None where a column that it needs was not kept.

        `mean` is the arithmetic mean in float64, numpy's by default; sums of another order differ in the last bit.
        """
        if not self.has_needs(examples):
            return None
        if self.overall is not None:
            return float(self.overall(examples))
        assert self.per_example is not None
        return self.scale * (mean or _mean)(self.per_example(examples))

    def values(self, examples: Examples) -> NDArray[Any] | None:
        """(n,) values per example, whose mean times `scale` is the metric; None where it has no such."""
        return self.per_example(examples) if self.per_example is not None and self.has_needs(examples) else None

    def differences(self, first: Examples, second: Examples) -> NDArray[np.float64] | None:
        """(n,) `first` minus `second` over the same examples in the metric's unit; None where there is no such."""
        one, other = self.values(first), self.values(second)
        if one is None or other is None or one.shape != other.shape:
            return None
        found: NDArray[np.float64] = self.scale * (one.astype("float64") - other)
        return found

    def resolution(self, num_eval: int | None) -> float:
        """The smallest step in the metric's unit, 100 / n_eval points for an accuracy; 0 where there is none."""
        return self.step / num_eval if num_eval else 0.0

    def has_needs(self, examples: Examples) -> bool:
        """Whether these examples have the columns that it is computed from, and are any at all."""
        return examples.n > 0 and all(name in examples.columns for name in self.needs)


def _mean(values: NDArray[Any]) -> float:
    return float(values.astype("float64").mean())
