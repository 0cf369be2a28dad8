"""What an evaluation found: the metrics of each trial and of their ensemble, and what was gained over what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paribus.analysis.statistics.examples import Estimate, accuracy, mean
from paribus.evaluation.excluded import Subset
from paribus.training.evaluation.scores import Marks

if TYPE_CHECKING:
    from paribus.tracking.ledger_records import TrialRecord


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The metrics of one trial or of the ensemble: top-1 and top-5 in percent, log-likelihood in nats."""

    name: str
    record: TrialRecord | None
    marks: Marks
    top1: Estimate
    top5: Estimate
    log_likelihood: Estimate

    @classmethod
    def of(cls, name: str, record: TrialRecord | None, marks: Marks) -> Evaluated:
        """The estimates of `marks`, with 95 % intervals over examples."""
        return cls(
            name=name,
            record=record,
            marks=marks,
            top1=accuracy(marks.correct),
            top5=accuracy(marks.among5),
            log_likelihood=mean(marks.log_likelihood),
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        of = {} if self.record is None else {"trial_id": self.record.trial_id, "run_id": self.record.run_id}
        metrics = {"top1": self.top1, "top5": self.top5, "log_likelihood": self.log_likelihood}
        return {"name": self.name, **of, **{key: found.as_dict() for key, found in metrics.items()}}


@dataclass(frozen=True, kw_only=True)
class Gain:
    """A paired difference over the same examples, `of` minus `over`: points of top-1, nats of log-likelihood."""

    of: str
    over: str
    top1: Estimate
    log_likelihood: Estimate

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {"top1": self.top1.as_dict(), "log_likelihood": self.log_likelihood.as_dict()}
        return {"of": self.of, "over": self.over, **found}


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
            "trials": [member.as_dict() for member in self.members],
            "ensemble": None if self.ensemble is None else self.ensemble.as_dict(),
            "gains": [gain.as_dict() for gain in self.gains],
            "notes": list(self.notes),
        }
