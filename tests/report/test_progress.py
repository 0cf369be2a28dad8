"""The estimate of what is left, against arithmetic done by hand."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from trial_records import ended, study_record

from paribus.execution.progress import Progress
from paribus.execution.workers.trial_spec import TRIAL_ID
from paribus.host.time_left import rest_of
from paribus.report.progress import counted, progress_of, show_ago
from paribus.report.study_report import TrialRow, state_of
from paribus.study import Study
from paribus.study.plan import make_plan, trials
from paribus.study.words import Arm
from paribus.tracking.studies.record import StudyRecord

NOW_S = 1_000_000.0


def a_study(num_planned: int, live: bool = True, **counts: int) -> StudyRecord:
    return study_record("s", live=live, num_planned=num_planned, counts=counts)


def a_trial(began_s: float, ended_s: float | None, live: bool = True) -> TrialRow:
    record = ended(
        Arm(()),
        1,
        outcome=None if ended_s is None else "finished",
        status="RUNNING" if ended_s is None else "FINISHED",
        started_ms=int(1000 * (NOW_S + began_s)),
        ended_ms=0 if ended_s is None else int(1000 * (NOW_S + ended_s)),
    )
    return TrialRow(trial_id=record.trial_id, arm=record.arm, replicate=1, state=state_of(record, live), record=record)


def test_what_is_left_is_trials_left_times_time_each_over_those_that_run_at_once() -> None:
    ended = [a_trial(-100, -60), a_trial(-90, -50)]
    running = [a_trial(-30, None), a_trial(-10, None)]
    found = progress_of(a_study(10), [*ended, *running], NOW_S)
    assert (found.num_ended, found.num_running, found.share) == (2, 2, 0.2)
    assert found.left_s == pytest.approx((8 * 40 - 30 - 10) / 2)
    assert found.sentence() == "2 of 10 trials have ended (2 finished) · 2 running · about 2 min left"


def test_an_overdue_trial_and_a_study_that_nobody_runs_have_no_estimate() -> None:
    overdue = [a_trial(-100, -90), a_trial(-50, None)]
    assert progress_of(a_study(2), overdue, NOW_S).left_s is None
    left = [a_trial(-100, -90, live=False), a_trial(-50, None, live=False)]
    idle = progress_of(a_study(2, live=False), left, NOW_S)
    assert (idle.left_s, idle.num_running) == (None, 0)


def test_the_terminal_and_the_page_tell_one_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers took 100 s to start, which is no time of a trial; and of two that run, one has had 10 s."""
    now_s = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    study = Study(name="s", base="digits", factors={"model.width": (1.0, 2.0)}, replicates=5)
    plan = make_plan(study, trials(study, lambda recipe: "d"), None, code=lambda recipe: "c")
    ids, out = [step.trial.id for step in plan.steps], io.StringIO()
    terminal = Progress(
        plan, {}, beat=lambda: None, lost=lambda step, reason: None, aside=lambda node, fault: None, out=out
    )

    def begins(index: int, at_s: float) -> None:
        now_s[0] = at_s
        started = SimpleNamespace(config={TRIAL_ID: ids[index]})
        terminal.on_trial_start(0, [], started)  # type: ignore[arg-type]

    def ends(index: int, at_s: float, spent_s: float) -> None:
        now_s[0] = at_s
        result = {"trial_key": ids[index], "outcome": "failed", "reason": "none", "spent_s": spent_s}
        terminal.on_trial_result(0, [], None, result)  # type: ignore[arg-type]

    begins(0, 100.0)
    begins(1, 110.0)
    ends(0, 140.0, 40.0)
    begins(2, 140.0)
    ends(1, 150.0, 40.0)
    rows = [a_trial(-50, -10), a_trial(-40, 0), a_trial(-10, None), a_trial(0, None)]
    page = progress_of(a_study(10), rows, NOW_S)
    assert page.left_s == pytest.approx((8 * 40 - 10) / 2)
    assert page.sentence().endswith("about 3 min left")
    assert out.getvalue().splitlines()[-1].endswith("(about 3 min left)")
    assert rest_of([40.0, 40.0], [10.0, 0.0], 8) == page.left_s


def test_counts_of_the_heartbeat_alone() -> None:
    assert counted(a_study(8, finished=3, failed=1)).share == 0.5
    assert counted(a_study(0)).share == 0.0


def test_moments_in_words() -> None:
    assert show_ago(1000 * NOW_S, NOW_S + 5) == "just now"
    assert show_ago(1000 * NOW_S, NOW_S + 600) == "10 min ago"
    assert show_ago(1000 * NOW_S, NOW_S + 4 * 86_400) == "4 days ago"
