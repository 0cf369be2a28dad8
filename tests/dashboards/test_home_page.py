"""Home over a real ledger: every state that a newcomer or a running study can put it in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from paribus.analysis import analyse
from paribus.report.study_report import RULE
from paribus.study import Study
from paribus.study.words import Arm
from paribus.tracking import MlflowRest, StudyHeader
from paribus.tracking import open_study as open_study_run
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import ServerProcess, start_server
from paribus_dashboards import ledger_view
from paribus_dashboards.ahead.known import brief

pytestmark = pytest.mark.cluster

OpenHome = Callable[[str], AppTest]
Said = Callable[[AppTest], str]


def test_a_finished_study_shows_its_verdicts_and_what_became_of_its_trials(
    open_home: OpenHome, said: Said, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    reader = Ledger(mlflow_server.uri)
    expected = analyse(whole_study, reader.results(whole_study.name, per_example=True))
    reader.close()
    text = said(open_home(mlflow_server.uri))
    for verdict, count in expected.verdict_counts().items():
        assert f"{count} {verdict}" in text
    assert expected.claim is not None
    assert f"claim {expected.claim.outcome}" in text
    assert "37 finished, 3 diverged" in text
    assert whole_study.question in text


def test_studies_are_found_by_state_and_words_which_the_address_keeps_and_failures_are_told(
    open_home: OpenHome, said: Said, filler: Any, make_study: Callable[..., Study], mlflow_server: ServerProcess
) -> None:
    small = {"factors": {"model.depth": (16, 22)}, "baseline": None, "claim": None, "replicates": 2}
    filler.finished(make_study("home_sound", **small))
    filler.finished(make_study("home_failed", **small, question="why"), lambda arm, replicate: "failed")
    app = open_home(mlflow_server.uri)
    text = said(app)
    assert "4 trials failed without a result, just now: oom: the worker was killed" in text
    assert "All 4 trials that ended failed without a result" in text
    app.selectbox(key="state").select("failed").run()
    app.text_input(key="search").set_value("WHY home").run()
    assert cards(app) == ["home_failed"]
    assert (app.query_params["state"], app.query_params["search"]) == ("failed", "WHY home")
    app.text_input(key="search").set_value("no such study").run()
    assert cards(app) == []
    assert "No study or search is like that" in said(app)


def cards(app: AppTest) -> list[str]:
    """The names of the studies that have a card."""
    labels = [each.proto.label for each in app.get("page_link")]
    return [label.strip("*").replace("\\", "") for label in labels if label.startswith("**")]


def test_a_running_study_shows_how_far_it_is(
    open_home: OpenHome, said: Said, filler: Any, make_study: Callable[..., Study], mlflow_server: ServerProcess
) -> None:
    study = make_study("home_running", factors={"model.depth": (16, 22)}, baseline=None, claim=None, replicates=3)

    def fate(arm: Arm, replicate: int) -> str:
        return ("finished", "running", "missing")[replicate - 1]

    with filler.driver(study, fate):
        app = open_home(mlflow_server.uri)
        text = said(app)
    assert "2 of 6 trials have ended (2 finished) · 2 running" in text
    assert [metric.value for metric in app.metric if metric.label == "Running now"] == ["1"]
    assert ":blue-badge[● running]" in text


def test_verdicts_that_the_driver_wrote_down_are_shown_without_reading_a_trial(
    open_home: OpenHome, said: Said, mlflow_server: ServerProcess
) -> None:
    rest = MlflowRest(mlflow_server.uri)
    run = open_study_run(rest, StudyHeader(name="home_written", num_planned=40))
    written = {"rule": RULE, "counts": {"better": 7}, "claim": {"outcome": "contradicted"}}
    run.artifact("verdicts.json", json.dumps(written).encode())
    run.finish("FINISHED", {"finished": 40})
    rest.close()
    text = said(open_home(mlflow_server.uri))
    assert "7 better" in text
    assert "claim contradicted" in text
    # Of its trials there is nothing to read: what its page says at once rests on that file alone.
    assert "<h2>Of 7 contrasts 7 are better.</h2>" in brief("study", {"study": "home_written"})
    assert brief("study", {"study": "home_written", "settings": "others"}) == ""


def test_what_was_read_whole_is_kept_for_a_day_and_what_may_still_come_for_ten_minutes(
    open_home: OpenHome, filler: Any, make_study: Callable[..., Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_home(filler.uri)
    few = {"factors": {"model.depth": (16, 22)}, "baseline": None, "claim": None, "replicates": 1}
    whole, part = make_study("kept_whole", **few), make_study("kept_part", **few)
    filler.finished(whole)
    filler.finished(part, lambda arm, replicate: "finished" if arm.as_dict()["model.depth"] == 16 else "missing")
    records = {record.name: record for record in ledger_view.reader(filler.uri).studies()}
    now = time.time()
    read = {name: ledger_view.trials_of(filler.uri, records[name]) for name in (whole.name, part.name)}
    for later_s, kept in ((0, {whole.name, part.name}), (1_000, {whole.name}), (100_000, set())):
        monkeypatch.setattr(ledger_view, "time", SimpleNamespace(time=lambda at=now + later_s: at))
        assert {name for name in read if ledger_view.trials_of(filler.uri, records[name]) is read[name]} == kept


def test_an_empty_ledger_says_what_to_type(open_home: OpenHome, said: Said, tmp_path: Path) -> None:
    server = start_server(tmp_path)
    try:
        text = said(open_home(server.uri))
    finally:
        server.stop()
    assert "make study" in text
    assert "ray job submit studies/" in text


def test_an_outage_is_told_with_the_address_and_what_to_do_and_ends_by_itself(
    open_home: OpenHome, said: Said, wire: Any, whole_study: Study
) -> None:
    app = open_home(wire.uri)
    assert whole_study.question in said(app)
    wire.cut()
    time.sleep(1.6)  # what was read a second ago is shown again
    text = said(app.run())
    assert f"No MLflow server answers at {wire.uri}" in text
    assert "paribus up" in text
    wire.mend()
    text = said(app.run())
    assert whole_study.question in text
    assert "No MLflow server answers" not in text


def test_an_address_that_is_no_server_is_told(open_home: OpenHome, said: Said) -> None:
    text = said(open_home("sqlite:///mlflow.db"))
    assert "can't be read" in text
    assert "http://" in text
