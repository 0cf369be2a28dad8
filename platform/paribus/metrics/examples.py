"""What a net makes of each evaluation example: all that a metric may be computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a plan starts in under a second, so it does not wait for numpy
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """One evaluation per example, in the order of the dataset's evaluation keys; (n,) each.

    A column is None where nobody kept it: results of earlier releases have `correct` and `log_likelihood` alone. `keys`
    are () where they were not read; `keys_digest` names them and their order, "" where it is not known.

    Raises:
        ValueError: columns of unequal lengths.
    """

    label: NDArray[np.int32] | None = None
    predicted: NDArray[np.int32] | None = None  # the class of the highest score, of equal ones the one of lower number
    correct: NDArray[np.bool_] | None = None  # predicted is the label
    among5: NDArray[np.bool_] | None = None  # the label is among the five highest scores, ties as above
    log_likelihood: NDArray[np.floating] | None = None  # nats, of the label
    top_probability: NDArray[np.floating] | None = None  # of the predicted class
    brier: NDArray[np.floating] | None = None  # sum over classes of (probability - 1 for the label, else 0) ** 2
    keys: Sequence[str] = ()
    keys_digest: str = ""

    def __post_init__(self) -> None:
        shapes = {name: array.shape for name, array in self.columns.items()}
        shapes |= {"keys": (len(self.keys),)} if len(self.keys) else {}
        if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
            told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise ValueError(f"the columns of examples are vectors of one length, and these are not: {told}")

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The arrays that there are, by name."""
        return {name: array for name in COLUMNS if (array := getattr(self, name)) is not None}

    @property
    def n(self) -> int:
        """How many examples."""
        return next((len(array) for array in self.columns.values()), 0)

    @property
    def most_frequent(self) -> int:
        """How many of the n are of the class that most are of. Raises ValueError where no labels were kept."""
        import numpy as np

        return int(np.bincount(self.column("label")).max())

    def column(self, name: str) -> NDArray[Any]:
        """The array of that name. Raises ValueError where it was not kept."""
        if name not in self.columns:
            raise ValueError(f"these examples have no column {name!r}: they have {', '.join(self.columns) or 'none'}")
        return self.columns[name]

    def taken(self, rows: NDArray[np.int64]) -> Examples:
        """The examples at `rows`; which keys those are, the caller knows."""
        some: dict[str, Any] = {name: array[rows] for name, array in self.columns.items()}
        return Examples(**some)


COLUMNS: tuple[str, ...] = tuple(field.name for field in fields(Examples) if not field.name.startswith("keys"))
