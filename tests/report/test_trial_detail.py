"""One trial: the fields that differ from its baseline's come first, its attempts in order, and no secret is shown."""

from __future__ import annotations

from trial_records import ended

from paribus.report.export import final_numbers
from paribus.report.study_report import StudyReport, TrialRow
from paribus.report.views.trial_detail import attempt_rows, baseline_of, crash_logs, facts, recipe_lines
from paribus.study import Arm, Study
from paribus.tracking.trials.record import Attempt, TrialRecord

WIDE, NARROW = Arm((("model.width", 2.0),)), Arm((("model.width", 1.0),))
PARAMS = {"replicate": "1", "model.width": "2.0", "width": "2.0", "budget": "1 epoch", "optimizer.lr": "0.1"}


def row(arm: Arm, replicate: int, **fields: object) -> TrialRow:
    record: TrialRecord = ended(arm, replicate, **fields)
    return TrialRow(trial_id=record.trial_id, arm=arm, replicate=replicate, state="finished", record=record)


def test_a_trial_is_shown_beside_its_baselines_of_the_same_replicate_with_what_differs_first(study: Study) -> None:
    rows = [row(arm, replicate) for replicate in (1, 2) for arm in (NARROW, WIDE)]
    report = StudyReport(name="width", url="", study=study, trials=tuple(rows))
    found = baseline_of(rows[3], report)
    assert found is not None
    assert (found.arm, found.replicate) == (NARROW, 2)
    assert baseline_of(rows[2], report) is None
    wide = ended(WIDE, 1, params=PARAMS)
    narrow = ended(NARROW, 1, params={**PARAMS, "model.width": "1.0", "width": "1.0", "data.root": "http://u:pw@h/x"})
    lines = recipe_lines(wide, narrow)
    assert [(line.path, line.value, line.baseline) for line in lines if line.differs] == [
        ("data.root", "", "http://***@h/x"),
        ("model.width", "2.0", "1.0"),
    ]
    assert [line.path for line in lines] == ["data.root", "model.width", "budget", "optimizer.lr"]
    assert not any(line.differs for line in recipe_lines(wide, None))


def test_attempts_and_where_it_ran_are_told_as_far_as_they_are_known() -> None:
    attempts = {
        2: Attempt(
            resumed_step=40, started_ms=200_000, ended_ms=320_000, outcome="finished", host="b", pid=7, cpu="EPYC"
        ),
        1: Attempt(started_ms=1_000, ended_ms=61_000, outcome="interrupted", host="a", pid=5),
    }
    record = ended(
        WIDE,
        1,
        attempt=2,
        attempts=attempts,
        started_ms=1_000,
        ended_ms=320_000,
        metrics={"top1": -3.14159, "total_s": 12.34},
        warnings="slow disk of http://u:pw@h/",
        seeds={"init": 5},
    )
    assert [list(each.values()) for each in attempt_rows(record)] == [
        ["1", "0", "60 s", "interrupted", "a", "5", ""],
        ["2", "40", "2 min", "finished", "b", "7", "EPYC"],
    ]
    told = facts(record)
    assert told["took"] == "5 min"
    assert told["seeds"] == "init 5"
    assert "pw" not in told["warnings"]
    assert "lost" not in told
    assert crash_logs(record) == ["traceback.txt", "crash-2.txt", "crash-1.txt"]
    report = StudyReport(name="width", url="", study=None, trials=())
    assert final_numbers(record, report) == [
        {"result": "top-1 (%)", "value": "−3.14"},
        {"result": "time (s)", "value": "12.3"},
    ]
