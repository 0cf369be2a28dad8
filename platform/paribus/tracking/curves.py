"""A metric of many trials by epoch, as a search's scheduler and sampler learn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paribus.tracking.ledger import Ledger
from paribus.tracking.trials.record import EPOCH_METRIC, TrialRecord


class Curve(dict[int, float]):
    """A metric's values by epoch; `told_ms` is when the ledger was told of each, in ms since 1970."""

    def __init__(self, values: Mapping[int, float], told_ms: Mapping[int, int]) -> None:
        super().__init__(values)
        self.told_ms = dict(told_ms)


def curves_of(ledger: Ledger, records: Sequence[TrialRecord], metric: str) -> Mapping[str, Curve]:
    """Run id to the metric's values by epoch."""
    values, epochs = ledger.histories(records, metric), ledger.histories(records, EPOCH_METRIC)
    found = {}
    for run_id, points in values.items():
        epoch_at = {point.step: int(point.value) for point in epochs.get(run_id, ())}
        known = [(epoch_at[point.step], point) for point in points if point.step in epoch_at]
        found[run_id] = Curve(
            {epoch: point.value for epoch, point in known}, {epoch: point.time_ms for epoch, point in known}
        )
    return found
