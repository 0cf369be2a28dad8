"""A metric of many trials by epoch, as a search's scheduler and sampler learn from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paribus.tracking.ledger import Ledger
from paribus.tracking.trials.record import EPOCH_METRIC, TrialRecord


def curves_of(ledger: Ledger, records: Sequence[TrialRecord], metric: str) -> Mapping[str, Mapping[int, float]]:
    """Run id to the metric's values by epoch."""
    values, epochs = ledger.histories(records, metric), ledger.histories(records, EPOCH_METRIC)
    found = {}
    for run_id, points in values.items():
        epoch_at = {point.step: int(point.value) for point in epochs.get(run_id, ())}
        found[run_id] = {epoch_at[point.step]: point.value for point in points if point.step in epoch_at}
    return found
