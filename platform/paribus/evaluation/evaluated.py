"""What an evaluation found: the metrics of each trial and of their ensemble, and what was gained over what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.analysis.statistics.examples import Estimate, accuracy, accuracy_difference, mean, mean_difference
from paribus.evaluation.excluded import Subset
from paribus.metrics.examples import Examples
from paribus.metrics.known import METRICS
from paribus.metrics.metric import Metric, MetricError
from paribus.metrics.per_class import ClassAccuracy, per_class

if TYPE_CHECKING:
    from paribus.tracking.trials.record import TrialRecord


# What an evaluation tells: every metric but those that repeat another with the other sign.
TOLD = tuple(metric for metric in METRICS.values() if not metric.negative_of)


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Every metric of one trial or of the ensemble, by name, in its own unit; `classes` where they were asked for."""

    name: str
    record: TrialRecord | None
    examples: Examples
    estimates: Mapping[str, Estimate]
    classes: tuple[ClassAccuracy, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        record: TrialRecord | None,
        examples: Examples,
        classes: bool = False,
        metrics: Sequence[Metric] = TOLD,
    ) -> Evaluated:
        """The metrics of `examples`, with 95 % intervals over them where a metric has a value per example."""
        found = {metric.name: _estimate(metric, examples) for metric in metrics}
        return cls(
            name=name,
            record=record,
            examples=examples,
            estimates={name: estimate for name, estimate in found.items() if estimate is not None},
            classes=tuple(per_class(examples)) if classes else (),
        )

    def as_dict(self, class_names: Sequence[str] = ()) -> dict[str, Any]:
        """For JSON; `classes` name those of whom `classes` tells."""
        of = {} if self.record is None else {"trial_id": self.record.trial_id, "run_id": self.record.run_id}
        found: dict[str, Any] = {key: estimate.as_dict() for key, estimate in self.estimates.items()}
        if self.classes:
            found["classes"] = [
                {
                    "class": class_names[row.label],
                    "n": row.n,
                    "right": row.right,
                    "taken_for": None if row.taken_for is None else class_names[row.taken_for],
                }
                for row in self.classes
            ]
        return {"name": self.name, **of, **found}


def _estimate(metric: Metric, examples: Examples) -> Estimate | None:
    """The value with its interval where it has one; MetricError where a metric of a user's raises."""
    try:
        return _value(metric, examples)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, MetricError):
            raise
        raise MetricError(
            f"the metric {metric.name!r} raised {type(error).__name__} on {examples.n} examples: {error}"
        ) from error


def _value(metric: Metric, examples: Examples) -> Estimate | None:
    values = metric.values(examples)
    if values is not None and metric.is_accuracy:
        return accuracy(values)
    value = metric.of(examples)
    if value is None:
        return None
    return Estimate(value=value, interval=None, n=examples.n) if values is None else mean(metric.scale * values)


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Paired differences over the same examples, `of` minus `over`, of every metric that both bear per example."""

    of: str
    over: str
    estimates: Mapping[str, Estimate]

    @classmethod
    def between(cls, of: str, over: str, first: Examples, second: Examples, metrics: Sequence[Metric] = TOLD) -> Gain:
        """`first` minus `second`, in each metric's own unit."""
        found = {metric.name: _difference(metric, first, second) for metric in metrics}
        return cls(of=of, over=over, estimates={name: one for name, one in found.items() if one is not None})

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"of": self.of, "over": self.over, **{name: one.as_dict() for name, one in self.estimates.items()}}


def _difference(metric: Metric, first: Examples, second: Examples) -> Estimate | None:
    one, other = metric.values(first), metric.values(second)
    if one is None or other is None:
        return None
    if metric.is_accuracy:
        return accuracy_difference(one, other)
    return mean_difference(metric.scale * one, metric.scale * other)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What `paribus evaluate` found, on which examples, with which looks at each."""

    data: str
    split: str
    data_digest: str
    crops: str
    subset: Subset
    members: tuple[Evaluated, ...]
    ensemble: Evaluated | None
    gains: tuple[Gain, ...]
    notes: tuple[str, ...]
    class_names: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = TOLD

    @property
    def name(self) -> str:
        """How the ledger calls this evaluation: `crops_144`, `dense`, `crops_1.without_3f9a0c1b2d4e`."""
        return ("dense" if self.crops == "dense" else f"crops_{self.crops}") + self.subset.name

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "data": self.data,
            "split": self.split,
            "data_digest": self.data_digest,
            "crops": self.crops,
            "n": len(self.subset.rows),
            "num_excluded": self.subset.num_excluded,
            "excluded_digest": self.subset.digest,
            "trials": [member.as_dict(self.class_names) for member in self.members],
            "ensemble": None if self.ensemble is None else self.ensemble.as_dict(self.class_names),
            "gains": [gain.as_dict() for gain in self.gains],
            "notes": list(self.notes),
        }
