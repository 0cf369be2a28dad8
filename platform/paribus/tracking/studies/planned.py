"""Which of the ledger's trials are a study's own: those that its plan names by id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from paribus.tracking.trials.record import TrialRecord

if TYPE_CHECKING:
    from paribus.study.plan import Place


def of_plan(records: Iterable[TrialRecord], places: Mapping[str, Place]) -> list[TrialRecord]:
    """The records of the trials at `places`, in the plan's order, each with the arm and replicate of its place.

    A trial is known by its id alone. The arm in its tags is that of the study that recorded it first, which may have
    had fewer or more factors, or the same in another order.
    """
    by_id = {record.trial_id: record for record in records}
    return [
        replace(by_id[name], arm=arm, arm_name=arm.name, replicate=replicate)
        for name, (arm, replicate) in places.items()
        if name in by_id
    ]
