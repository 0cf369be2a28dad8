"""All metrics, found by listing this room: a file with a `METRIC` is one."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final

from paribus.metrics.examples import Examples
from paribus.metrics.metric import Mean, Metric, MetricError


def _listed() -> Mapping[str, Metric]:
    found = []
    for file in pkgutil.iter_modules([str(Path(__file__).parent)]):
        metric = getattr(import_module(f"{__package__}.{file.name}"), "METRIC", None)
        if metric is None:
            continue
        if not isinstance(metric, Metric) or metric.name != file.name:
            raise MetricError(
                f"metrics/{file.name}.py: its METRIC is {metric!r}, and must be a Metric of the name {file.name!r}"
            )
        found.append(metric)
    return MappingProxyType({one.name: one for one in sorted(found, key=lambda one: (one.place, one.name))})


# By name, in the order of tables.
METRICS: Final = _listed()


def values_of(examples: Examples, mean: Mean | None = None, *, every_epoch: bool = False) -> dict[str, float]:
    """Name to value of every metric that these examples bear; with `every_epoch` of those alone that are logged so."""
    asked = (metric for metric in METRICS.values() if metric.every_epoch or not every_epoch)
    return {one.name: value for one in asked if (value := one.of(examples, mean)) is not None}
