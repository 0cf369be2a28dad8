"""Accuracy of each class: a table, not a metric that a study can be judged by."""

from __future__ import annotations

from dataclasses import dataclass

from paribus.metrics.examples import Examples


@dataclass(frozen=True, kw_only=True)
class ClassAccuracy:
    """Of the class of number `label`: `n` examples, `right` of which were predicted as it; `taken_for` is the other
    class that most of the wrong ones were taken for (of equal ones the one of lower number), None without wrong ones.
    """

    label: int
    n: int
    right: int
    taken_for: int | None


def per_class(examples: Examples) -> list[ClassAccuracy]:
    """A row for each class that has examples, by number. Raises ValueError where label or prediction were not kept."""
    import numpy as np

    label, predicted = examples.column("label"), examples.column("predicted")
    rows = []
    for number in np.unique(label).tolist():
        given = predicted[label == number]
        wrong = given[given != number]
        rows.append(
            ClassAccuracy(
                label=number,
                n=len(given),
                right=len(given) - len(wrong),
                taken_for=int(np.bincount(wrong).argmax()) if len(wrong) else None,
            )
        )
    return rows
