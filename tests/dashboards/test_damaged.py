"""Damaged files and tags in a real ledger: a sentence on the page that names them, and every other study stays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from paribus.report.study_report import RULE
from paribus.study import Study
from paribus.study.words import Arm, Claim
from paribus.tracking import MlflowRest
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import get_run, log_batch
from paribus.tracking.mlflow.server import ServerProcess
from paribus_dashboards.ahead.known import known, waiting
from paribus_dashboards.ledger_view import judgement, studies

pytestmark = pytest.mark.cluster

OpenStudy = Callable[..., AppTest]
OpenHome = Callable[[str], AppTest]
Said = Callable[[AppTest], str]
SMALL = {"factors": {"model.depth": (16, 22)}, "baseline": {"model.depth": 16}, "claim": None, "replicates": 3}
WHAT_TO_DO = re.compile("run again|run the study's command again|writes one as study.json")
NO_PLACE = {"id": "a", "arm": [["model.depth", {}]], "replicate": 1}
DAMAGE = {
    "trials.json": [b"{", b"7", json.dumps([NO_PLACE]).encode()],
    "study.json": [b"{", b"\xff"],
    "verdicts.json": [
        b"{",
        b"[]",
        json.dumps({"rule": RULE, "counts": {"better": "x"}}).encode(),
        json.dumps({"rule": RULE, "counts": {}, "claim": "x"}).encode(),
        json.dumps({"counts": {"better": 9}}).encode(),  # by the rule of an earlier release
    ],
}


def put(uri: str, run_id: str, name: str, data: bytes) -> None:
    with MlflowRest(uri) as rest:
        rest.put_artifact(get_run(rest, run_id).artifact_uri, name, data)
    st.cache_resource.clear()


@pytest.fixture(scope="module")
def sound(filler: Any, make_study: Callable[..., Study], mlflow_server: ServerProcess) -> tuple[Study, str]:
    """A small finished study and the id of its run."""
    study = make_study("damaged_files", **SMALL)
    filler.finished(study)
    reader = Ledger(mlflow_server.uri)
    found = reader.study(study.name)
    reader.close()
    assert found is not None
    return study, found.run_id


@pytest.mark.parametrize("name", ["trials.json", "study.json"])
def test_a_damaged_file_of_a_study_is_a_sentence_on_both_pages(
    name: str, open_home: OpenHome, open_study: OpenStudy, said: Said, sound: Any, mlflow_server: ServerProcess
) -> None:
    study, run_id = sound
    reader = Ledger(mlflow_server.uri)
    kept = reader.artifact(run_id, name)
    reader.close()
    try:
        for data in DAMAGE[name]:
            put(mlflow_server.uri, run_id, name, data)
            page = said(open_study(mlflow_server.uri, study.name))
            assert "There are no verdicts: " in page, data[:40]
            assert WHAT_TO_DO.search(page), data[:40]
            assert "can't be read" not in page, data[:40]
        home = said(open_home(mlflow_server.uri))
        assert WHAT_TO_DO.search(home)
    finally:
        put(mlflow_server.uri, run_id, name, kept)


def test_damaged_verdicts_and_those_of_an_earlier_rule_are_judged_anew(
    open_home: OpenHome, said: Said, sound: Any, mlflow_server: ServerProcess
) -> None:
    _, run_id = sound
    for data in DAMAGE["verdicts.json"]:
        put(mlflow_server.uri, run_id, "verdicts.json", data)
        assert "Traceback" not in said(open_home(mlflow_server.uri))
        (record,) = [each for each in studies(mlflow_server.uri) if each.run_id == run_id]
        assert sum(judgement(mlflow_server.uri, record).counts.values()) == 1, data


def test_a_damaged_file_of_a_trial_is_named_with_what_to_do(
    open_study: OpenStudy, said: Said, filler: Any, make_study: Callable[..., Study], mlflow_server: ServerProcess
) -> None:
    study = make_study("damaged_examples", **SMALL)
    filler.finished(study)
    reader = Ledger(mlflow_server.uri)
    run_id = reader.trials(study.name)[0].run_id
    reader.close()
    for data in (b"PK\x03\x04", b"PAR1", b"", b"\x93NUMPY", b"x" * 500):
        put(mlflow_server.uri, run_id, "examples.parquet", data)
        page = said(open_study(mlflow_server.uri, study.name))
        assert f"examples.parquet of the run {run_id} is damaged" in page
        assert "delete this file" in page


def test_a_page_says_all_that_a_report_says_of_its_records(
    open_study: OpenStudy, said: Said, filler: Any, make_study: Callable[..., Study], mlflow_server: ServerProcess
) -> None:
    study = make_study("page_faults", **SMALL, margin=3.0)

    def fate(arm: Arm, replicate: int) -> str:
        return "stuck" if arm.as_dict()["model.depth"] == 22 and replicate == 3 else "finished"

    filler.finished(study, fate)
    reader = Ledger(mlflow_server.uri)
    named = {f"{trial.arm_name} r{trial.replicate}": trial for trial in reader.trials(study.name)}
    log_batch(reader.rest, named["depth=22 r1"].run_id, tags={"paribus.total_steps": "many"})
    log_batch(reader.rest, named["depth=22 r2"].run_id, tags={"paribus.lost_artifact": "weights.pt: *HTTP* 500"})
    reader.close()
    app = open_study(mlflow_server.uri, study.name)
    page = said(app)
    assert "depth=22 · r1 (run " in page
    assert "many" in page
    assert r"depth=22 · r2: the ledger lacks a file (weights.pt: \*HTTP\* 500)" in page
    assert "margin of ±3 points" in page
    verdicts = next(each.value for each in app.get("table") if "delta" in each.value.columns)
    assert verdicts["failed to train"][0] == "1 vs 0 of 3"
    stability = open_study(mlflow_server.uri, study.name, page="stability")
    said(stability)
    assert list(stability.get("table")[0].value["which failed"]) == ["r3 stuck"]
    assert "p within ±3 (Holm)" in verdicts.columns


def test_text_of_people_is_shown_as_it_is(
    open_home: OpenHome, open_study: OpenStudy, said: Said, filler: Any, make_study: Callable[..., Study]
) -> None:
    claim = Claim("costs $3 or $4 :red[*now*]", "http://user:hunter2@host/paper", direction="better")
    study = make_study("page_signs", **SMALL | {"claim": claim}, question="Is $1 <b>more</b> than `$2`? :smile:")
    filler.finished(study)
    home = said(open_home(filler.uri))
    page = said(open_study(filler.uri, study.name))
    for text in (home, page):
        assert r"Is \$1 &lt;b>more&lt;/b> than \`\$2\`? \:smile:" in text
        assert "hunter2" not in text
    assert r"costs \$3 or \$4 \:red[\*now\*]" in page
    for still in (known("", {}), known("study", {"study": study.name})):
        assert "Is $1 &lt;b&gt;more&lt;/b&gt; than `$2`? :smile:" in still
        assert "hunter2" not in still
    assert "&lt;b&gt;" in waiting("study", {"study": "<b>"})
