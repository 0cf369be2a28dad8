"""All studies at a glance: found by words and by how they stand, in each order, and what failed lately."""

from __future__ import annotations

import pytest
from trial_records import ended, study_record

from paribus.report.study_report import TrialRow, state_of
from paribus.report.views.overview import DAY_MS, failures_since, may_have_failed, stopped_since, wanted, word_of
from paribus.study.words import Arm

NOW_MS = 10 * DAY_MS
RECORDS = (
    study_record("width", question="Twice as WIDE?", status="FINISHED", num_planned=10, updated_ms=NOW_MS - 1),
    study_record("Depth", question="deep or wide?", live=True, num_planned=40, updated_ms=NOW_MS),
    study_record("lr", status="FAILED", num_planned=20, updated_ms=NOW_MS - 2, counts={"failed": 2}),
    study_record("old", status="KILLED", num_planned=5, updated_ms=NOW_MS - 3 * DAY_MS, counts={"failed": 1}),
    study_record("cut", status="RUNNING", num_planned=6, updated_ms=NOW_MS - 3),
)


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["Depth", "width", "lr", "cut", "old"]),
        ({"order": "name"}, ["cut", "Depth", "lr", "old", "width"]),
        ({"order": "trials"}, ["Depth", "lr", "width", "cut", "old"]),
        ({"text": "wide"}, ["Depth", "width"]),
        ({"text": " twice WIDE "}, ["width"]),
        ({"state": "running"}, ["Depth"]),
        ({"state": "failed"}, ["lr"]),
        ({"state": "interrupted"}, ["cut", "old"]),
        ({"text": "wide", "state": "finished"}, ["width"]),
        ({"text": "nothing"}, []),
    ],
)
def test_studies_are_found_by_every_word_and_by_how_they_stand_in_the_order_asked_for(
    asked: dict[str, str], names: list[str]
) -> None:
    assert [record.name for record in wanted(RECORDS, **asked)] == names


def test_what_failed_since_yesterday_is_counted_with_the_last_reason() -> None:
    assert [record.name for record in RECORDS if may_have_failed(record, NOW_MS - DAY_MS)] == ["lr"]
    assert [record.name for record in stopped_since(RECORDS, NOW_MS - DAY_MS)] == ["cut"]
    assert word_of(RECORDS[2]) == "failed"

    def row(outcome: str, ended_ms: float, reason: str = "") -> TrialRow:
        record = ended(Arm(()), 1, outcome=outcome, ended_ms=int(ended_ms), reason=reason)
        return TrialRow(trial_id="", arm=record.arm, replicate=1, state=state_of(record, False), record=record)

    rows = [
        row("failed", NOW_MS - 5, "oom"),
        row("failed", NOW_MS - 9, "node"),
        row("failed", NOW_MS - 2 * DAY_MS, "old"),
        row("diverged", NOW_MS - 1, "a result"),
        TrialRow(trial_id="", arm=Arm(()), replicate=2, state="waiting", record=None),
    ]
    found = failures_since(RECORDS[2], rows, NOW_MS - DAY_MS)
    assert found is not None
    assert (found.count, found.reason, found.last_ms) == (2, "oom", NOW_MS - 5)
    assert failures_since(RECORDS[2], rows[2:], NOW_MS - DAY_MS) is None
