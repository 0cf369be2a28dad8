"""Which machines train what, by the ledger alone."""

from __future__ import annotations

from typing import Any

import pytest
from trial_records import ended, study_record

from paribus.report.study_report import TrialRow, state_of
from paribus.report.views.nodes import nodes
from paribus.study import Arm
from paribus.tracking.mlflow.runs import Latest
from paribus.tracking.trials.record import Attempt

ARM = Arm((("model.width", 2.0),))
NOW, DAY = 10_000_000, 9_000_000


def row(replicate: int, *attempts: Attempt, **fields: Any) -> TrialRow:
    """A trial with these attempts, the last of them its newest; at work if that has no outcome."""
    outcome = attempts[-1].outcome or None
    numbered = dict(enumerate(attempts, 1))
    made = {"outcome": outcome, "status": "FINISHED" if outcome else "RUNNING", "ended_ms": attempts[-1].ended_ms}
    record = ended(ARM, replicate, **{**made, "attempts": numbered, "attempt": len(attempts), **fields})
    return TrialRow(trial_id=record.trial_id, arm=ARM, replicate=replicate, record=record, state=state_of(record, True))


def running(replicate: int, host: str, speed: float, wait: float, **fields: Any) -> TrialRow:
    latest = {"images_per_s": Latest(speed, 4, NOW), "data_wait": Latest(wait, 4, NOW)}
    return row(replicate, Attempt(host=host, started_ms=NOW), latest=latest, **fields)


def test_a_machine_has_the_trials_that_train_on_it_and_what_they_do_together() -> None:
    rows = [running(1, "a", 100.0, 0.1), running(2, "a", 50.0, 0.3), running(3, "b", 70.0, 0.0)]
    found = nodes([(study_record("one", live=True), rows)], DAY)
    assert [(node.name, len(node.at_work)) for node in found] == [("a", 2), ("b", 1)]
    assert found[0].images_per_s == 150.0
    assert found[0].data_wait == pytest.approx(0.2)
    assert [each.progress for each in found[0].at_work] == [0.5, 0.5]
    assert found[0].lost == 0


def test_a_trial_that_goes_on_elsewhere_counts_on_both_machines() -> None:
    cut = Attempt(host="a", started_ms=NOW - 2, ended_ms=NOW - 1, outcome="interrupted")
    rows = [row(1, cut, Attempt(host="b", started_ms=NOW)), row(2, cut)]
    found = nodes([(study_record("one", live=True), rows)], DAY)
    assert [(node.name, len(node.at_work), dict(node.ended)) for node in found] == [
        ("b", 1, {}),
        ("a", 0, {"interrupted": 2}),
    ]
    assert found[1].lost == 2


def test_what_ended_before_is_left_out_and_what_has_no_number_yet_has_none() -> None:
    old = Attempt(host="a", started_ms=1, ended_ms=DAY - 1, outcome="failed")
    new = Attempt(host="c", started_ms=1, ended_ms=DAY, outcome="finished")
    rows = [row(1, old), row(2, new, device="cuda:0"), row(3, Attempt(host="", started_ms=NOW), node="")]
    found = nodes([(study_record("one", live=True), rows)], DAY)
    assert [(node.name, dict(node.ended), node.devices) for node in found] == [
        ("not named", {}, ()),
        ("c", {"finished": 1}, ("cuda:0",)),
    ]
    assert (found[0].images_per_s, found[0].data_wait) == (None, None)


def test_of_a_study_that_nobody_runs_nothing_is_at_work() -> None:
    left = running(1, "a", 100.0, 0.0)
    interrupted = TrialRow(
        trial_id=left.trial_id, arm=ARM, replicate=1, record=left.record, state=state_of(left.record, False)
    )
    assert nodes([(study_record("one"), [interrupted])], DAY) == []
