"""A metric of many trials by epoch, as a search's scheduler and sampler learn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paribus.tracking.ledger import Ledger
from paribus.tracking.trials.record import EPOCH_METRIC, TrialRecord


class Curve(dict[int, float]):
    """A metric's values by epoch; `told_ms` is when the ledger was told of each, in ms since 1970.

    `heard` says at which place among all events of its search a driver heard of an epoch, of the trial's beginning (0)
    and of its end (-1), and let it go (-2): what is not in it, no driver has written down.
    """

    def __init__(
        self, values: Mapping[int, float], told_ms: Mapping[int, int], heard: Mapping[int, int] | None = None
    ) -> None:
        super().__init__(values)
        self.told_ms, self.heard = dict(told_ms), dict(heard or {})


def curves_of(ledger: Ledger, records: Sequence[TrialRecord], metric: str) -> Mapping[str, Curve]:
    """Run id to the metric's values by epoch."""
    values, epochs = ledger.histories(records, metric), ledger.histories(records, EPOCH_METRIC)
    heard = _heard(ledger, records)
    found = {}
    for run_id, points in values.items():
        epoch_at = {point.step: int(point.value) for point in epochs.get(run_id, ())}
        known = [(epoch_at[point.step], point) for point in points if point.step in epoch_at]
        found[run_id] = Curve(
            {epoch: point.value for epoch, point in known},
            {epoch: point.time_ms for epoch, point in known},
            heard.get(run_id),
        )
    return found


def _heard(ledger: Ledger, records: Sequence[TrialRecord]) -> dict[str, dict[int, int]]:
    """See `Curve.heard`, by run id. What was before the last beginning of a trial is of no account."""
    by_number: dict[tuple[str, int], dict[int, int]] = {}
    for parent in {record.parent for record in records if record.parent}:
        for at, (number, place) in enumerate(ledger.heard(parent)):
            if not place:
                by_number[parent, number] = {}
            by_number.setdefault((parent, number), {})[place] = at
    return {record.run_id: by_number.get((record.parent, record.replicate - 1), {}) for record in records}
