"""One report of a study: whose trials, how each stands, the arms; and that whatever draws it says the same."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pytest
from shelf import Shelf
from trial_records import ended

from paribus.engine.options import Options
from paribus.execution.driver import drive
from paribus.report.drawing.figures.curve_lines import curve_lines
from paribus.report.drawing.html_page import write_html
from paribus.report.drawing.markdown import markdown
from paribus.report.drawing.terminal import status_text, text_of
from paribus.report.export import trials_as_csv, trials_as_rows, trials_as_table, unfinished_as_table
from paribus.report.judging import judge, standing
from paribus.report.reading import Judgement, LedgerReader
from paribus.report.study_report import StudyReport, TrialRow, state_of, trial_rows
from paribus.report.views.curves import curve_of
from paribus.study import Study
from paribus.study.words import Arm
from paribus.tracking.history import Point

ARM = Arm.of({"model.width": 0.5})
# How a trial's run stands in the ledger, whether a driver is at work, and the one word for it.
STATES: list[tuple[dict[str, Any] | None, bool | None, str]] = [
    *(({"outcome": word}, live, word) for word in ("finished", "diverged", "dead", "stuck") for live in (True, None)),
    ({"outcome": "stopped"}, True, "stopped"),
    ({"outcome": "failed", "status": "FAILED"}, False, "failed"),
    ({"outcome": None, "status": "RUNNING"}, True, "running"),
    ({"outcome": None, "status": "RUNNING"}, None, "running"),
    ({"outcome": None, "status": "RUNNING"}, False, "interrupted"),  # its driver was killed
    ({"outcome": None, "status": "KILLED", "interrupted": True}, True, "interrupted"),
    ({"outcome": None, "status": "KILLED", "interrupted": True}, None, "interrupted"),
    (None, True, "waiting"),
]


@pytest.mark.parametrize(("run", "live", "word"), STATES)
def test_every_drawer_has_the_same_word_for_how_a_trial_stands(
    run: dict[str, Any] | None, live: bool | None, word: str
) -> None:
    record = None if run is None else ended(ARM, 1, **run)
    assert state_of(record, live) == word
    rows = trial_rows([record] if record else [], {f"{ARM.name}-1": (ARM, 1)}, live)
    report = StudyReport(name="s", url="", study=None, trials=rows)
    assert report.counts() == {word: 1}
    exported, shown = trials_as_rows(report), trials_as_table(report)
    assert [row["outcome"] for row in (*exported, *shown)] == ([word, word] if record else [])
    assert len(unfinished_as_table(report, interrupted=True)) == (word in ("failed", "interrupted"))
    said = status_text(report)
    count = {"running": "running", "interrupted": "cut off; the same command resumes it", "waiting": "not begun"}
    assert f"       1 {count.get(word, word)}" in said
    assert f"{int(word not in count)} of 1 trials have ended" in said
    if record is None:
        return
    picture = curve_lines([curve_of(ARM.name, 1, word, [Point(8, 50.0, 0, 1)])], "top-1", "steps")
    assert ("(n = 1)" in picture) == (word in ("finished", "running", "interrupted"))
    marked = f"r1: {word}</title>" in picture
    assert marked == (word in ("diverged", "dead", "stuck", "stopped", "failed"))


def test_a_study_nobody_runs_has_no_trial_that_runs() -> None:
    """Its driver was killed: the ledger goes on saying RUNNING."""
    rows = trial_rows([ended(ARM, 1, outcome=None, status="RUNNING")], {f"{ARM.name}-1": (ARM, 1)}, False)
    report = StudyReport(name="s", url="", study=None, trials=rows)
    (row,) = unfinished_as_table(report, interrupted=True)
    assert (row["outcome"], row["reason"]) == ("interrupted", "its driver or worker ended before it did")


def plan(name: str, **fields: Any) -> Study:
    return Study(
        name=name,
        **{"base": "synthetic", "factors": {"model.width": (0.25, 0.5)}, "replicates": 4, "margin": 4.0, **fields},
    )


def fate(trial: Any) -> float | str | None:
    wide = trial.arm.as_dict()["model.width"] == 0.5
    return {1: 80.0, 2: 84.0, 3: "diverged" if wide else 82.0, 4: "failed" if wide else "running"}[trial.replicate]


@pytest.mark.cluster
def test_arms_carry_mean_spread_failures_and_cost_into_every_form(
    shelf: Shelf, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = plan("arms")
    sizes = {"num_params": 175_000.0, "flops": 3_300_000.0}

    def costs(trial: Any) -> dict[str, float]:
        return {**sizes, "total_s": 2.0 + trial.replicate, "gpu_s": 0.5 * (2.0 + trial.replicate)}

    monkeypatch.setenv("PARIBUS_GPU_HOUR_PRICE", "1800 EUR")
    shelf.fill(study, fate, metrics=costs)
    report = judge(study, shelf.uri, shelf.home)
    narrow, wide = report.arms
    assert (narrow.arm, wide.arm) == study.arms
    assert (narrow.n, narrow.mean, narrow.sd, narrow.failed_to_train, narrow.ended) == (3, 82.0, 2.0, 0, 3)
    assert (wide.n, wide.mean, wide.failed_to_train, wide.failed, wide.ended) == (2, 82.0, 1, 1, 4)
    assert (narrow.params, narrow.flops, narrow.seconds) == (175_000, 3_300_000, 4.0)
    assert wide.seconds == 3.5
    assert json.loads(json.dumps(report.as_dict()))["arms"][0]["mean"] == 82.0
    cost = json.loads(json.dumps(report.as_dict()))["cost"]
    # 3, 4 and 5 s of each arm, the narrow one being compared with nothing else; half a GPU each.
    (contrast,) = [row for row in cost["rows"] if row["kind"] == "contrast"]
    assert (contrast["name"], contrast["trials"]) == (wide.arm.name, 6)
    assert contrast["gpu_hours"] == pytest.approx(12 / 3600, rel=0.05)
    assert contrast["money"] == pytest.approx(6.0, rel=0.05)
    assert {row["kind"] for row in cost["rows"]} == {"contrast", "failed"}
    page = write_html(report, tmp_path / "page.html").read_text()
    for text in (text_of(report), markdown(report), page):
        for cell in ("82.00", "2.83", "1 of 4", "175 k", "3.3 M", "3.5", "EUR", "failed without a result", "GPU-hours"):
            assert cell in text
    assert report.counts() == {"finished": 5, "interrupted": 1, "diverged": 1, "failed": 1}
    named = "activation=my_parts:wave: unresolved"
    assert named in text_of(replace(report, notes=(named,))), "a name and no emoji"


@pytest.mark.cluster
def test_a_report_of_the_ledger_alone_is_that_of_the_studys_own_file(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    study = plan("alone")
    shelf.fill(study)
    foreign = plan("alone", replicates=2, fixed={"budget": "3 steps"})
    shelf.fill(foreign, declared=study)
    assert drive(study, Options(ledger=shelf.uri), shelf.uri) == 0
    expected = judge(study, shelf.uri, shelf.home)
    reader = LedgerReader(shelf.uri, budget_s=5.0)
    (record,) = [each for each in reader.studies() if each.name == "alone" and each.settings.declared]
    trials = reader.trials(record)
    found = reader.report(record, trials)
    assert found.as_dict() == expected.as_dict()
    assert (found.num_foreign, expected.num_foreign) == (4, 4)
    assert found.trials == expected.trials
    assert reader.written(record) == Judgement.of(found)
    reader.close()
    rows = list(csv.DictReader(io.StringIO(trials_as_csv(standing(study, shelf.uri, shelf.home)))))
    assert [(row["arm"], row["trial_id"]) for row in rows] == [(row.arm.name, row.trial_id) for row in found.trials]


def test_a_report_that_was_not_judged_says_so_where_verdicts_are_asked_for() -> None:
    row = TrialRow(trial_id="a", arm=ARM, replicate=1, state="waiting", record=None)
    with pytest.raises(ValueError, match=r"s was not judged: no study\.json"):
        text_of(StudyReport(name="s", url="", study=None, trials=(row,), trouble="no study.json"))
