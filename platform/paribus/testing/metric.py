"""The contract of a metric."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from paribus.keyed_draws import global_draws
from paribus.metrics.examples import Examples
from paribus.recipe import RecipeError
from paribus.study.own_metrics import load_metric
from paribus.testing.sentences import said

_CLASSES = 4


def check_metric(reference: str) -> None:
    """A metric's function: on the examples of a fair net, of one that predicts one class, and of one that is right."""
    whose = f"metric {reference!r}"
    with said(whose):
        metric = load_metric(reference)
    for examples in _examples():
        columns: dict[str, Any] = {name: examples.column(name) for name in metric.needs}
        kept = Examples(**columns)
        before = global_draws()
        with said(f"{whose}, which is given the columns that it needs ({', '.join(metric.needs) or 'none'}),"):
            first, again, turned = metric.of(kept), metric.of(kept), metric.of(kept.taken(np.arange(kept.n)[::-1]))
            values = metric.values(kept)
        if global_draws() != before or first != again:
            raise RecipeError(f"{whose} gives another value the second time, or draws from a global generator")
        if first is None or turned is None or not np.isfinite(first):
            raise RecipeError(f"{whose} is {first} of a net's examples: it should be a number for every net")
        if not np.isclose(first, turned, rtol=1e-9):
            raise RecipeError(f"{whose} is {first!r}, and {turned!r} of the same examples in another order")
        if values is not None and (values.shape != (kept.n,) or not np.isclose(metric.scale * values.mean(), first)):
            raise RecipeError(
                f"{whose} has per_example values of the shape {values.shape} whose mean times {metric.scale:g} is "
                f"{metric.scale * values.mean():g}, and is {first:g}: the two should agree"
            )


def _examples() -> Iterator[Examples]:
    draw = np.random.default_rng(0)
    label = np.arange(48, dtype=np.int32) % _CLASSES
    guess = np.where(draw.random(48) < 0.6, label, draw.integers(0, _CLASSES, 48)).astype(np.int32)
    for predicted in (guess, np.zeros_like(label), label):
        correct = predicted == label
        likely = draw.uniform(0.3, 0.9, 48).astype(np.float32)
        yield Examples(
            label=label,
            predicted=predicted,
            correct=correct,
            among5=np.ones(48, bool),
            log_likelihood=np.log(np.where(correct, likely, (1 - likely) / (_CLASSES - 1))),
            top_probability=likely,
            brier=np.where(correct, (1 - likely) ** 2, 1 + likely**2).astype(np.float32),
        )
