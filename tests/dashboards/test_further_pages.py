"""Effects, trade-offs and examples of a study, also of one that came to nothing; Compare, Claims, Costs over all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from paribus.report.reading import LedgerError, LedgerReader
from paribus.study import Study
from paribus.tracking.mlflow.server import ServerProcess
from paribus_dashboards.parts import plain

pytestmark = pytest.mark.cluster

OpenStudy = Callable[..., AppTest]
Said = Callable[[AppTest], str]
MakeStudy = Callable[..., Study]


def table(app: AppTest, column: str) -> Any:
    return next(each.value for each in app.get("table") if column in each.value.columns)


def pictures(app: AppTest) -> list[dict[str, str]]:
    """The pictures on the page: their HTML, and their data as CSV."""
    return [json.loads(each.proto.json) for each in app.get("bidi_component")]


@pytest.fixture(scope="module")
def nothing(filler: Any, make_study: MakeStudy) -> Study:
    """A study whose trials all failed outside of training."""
    study = make_study("nothing_came", factors={"model.depth": (16, 40)}, baseline=None, replicates=1, claim=None)
    filler.finished(study, lambda arm, replicate: "failed")
    return study


@pytest.fixture
def open_page(open_home: Callable[[str], AppTest]) -> OpenStudy:
    """`open_page(uri, "claims")`: a page over the whole ledger, run once."""

    def start(uri: str, page: str, **address: str) -> AppTest:
        app = open_home(uri)
        app.switch_page(f"pages/{page}.py")
        for word, value in address.items():
            app.query_params[word] = value
        return app.run()

    return start


def test_effects_show_means_by_level_and_the_effects_over_all_arms(
    open_study: OpenStudy, said: Said, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, whole_study.name, page="effects")
    assert "Means by level" in said(app)
    cells = table(app, "backgrounds")
    assert list(cells["failed to train"]) == ["0 of 5"] * 7 + ["3 of 5"]
    assert cells["mean top-1 (%)"].iloc[-1] == "–"
    shown = pictures(app)
    assert "depth=16</li>" in shown[0]["html"]
    assert {line.split(",")[0] for line in shown[0]["csv"].splitlines()[1:]} == {"depth=16", "depth=40"}
    assert len(shown) == 3, "means, main effects, trends"
    assert len(table(app, "size")) >= 3
    app.selectbox(key="with").set_value("none").run()
    assert "depth" not in table(app, "backgrounds").columns
    said(app)


def test_trade_offs_weigh_any_metric_against_what_arms_cost(
    open_study: OpenStudy, said: Said, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, whole_study.name, page="tradeoffs", metric="log_likelihood")
    assert "an arm has 2 of the 5 replicates that it takes" in said(app)
    rows = table(app, "on the front")
    assert list(rows["parameters"]) == ["160 k"] * 4 + ["400 k"] * 4
    assert "log-likelihood" in " ".join(rows.columns)
    assert "yes" in set(rows["on the front"])


def test_examples_show_classes_images_that_flip_and_reliability(
    open_study: OpenStudy, said: Said, whole_study: Study, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, whole_study.name, page="examples")
    assert "of 397 images change sides in at least 80 % of 5 replicates" in said(app)
    classes = table(app, "difference (points) [95 % interval]")
    assert sorted(classes["class"]) == [str(label) for label in range(10)]
    assert set(classes["n"]) == {"5"}
    classes, confusion, sure = pictures(app)
    assert classes["html"].count("images</title>") == 10
    assert confusion["html"].count("<rect ") == 100
    assert {line.split(",")[0] for line in sure["csv"].splitlines()[1:]} == {"as sure as right", "arm", "baseline"}


def test_a_note_is_kept_in_mlflow_and_told_by_the_report(
    open_study: OpenStudy, said: Said, nothing: Study, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, nothing.name)
    app.text_area[0].set_value("look at the *third* node")
    app.button[0].click().run()
    assert plain("look at the *third* node") in said(app)
    reader = LedgerReader(mlflow_server.uri, budget_s=5)
    (record,) = [each for each in reader.studies() if each.name == nothing.name]
    assert record.noted == "look at the *third* node"
    assert reader.report(record, reader.trials(record)).notes[0] == "noted by a person: look at the *third* node"
    reader.keep_note(record.run_id, "")
    assert reader.note(record.run_id) == ""
    with pytest.raises(LedgerError, match="shorten it to 2,000"):
        reader.keep_note(record.run_id, "x" * 2001)
    reader.close()


def test_pages_of_a_study_that_came_to_nothing_say_so(
    open_study: OpenStudy, said: Said, nothing: Study, mlflow_server: ServerProcess
) -> None:
    words = {
        "stability": "No trial came to an end of its own yet",
        "tradeoffs": "there is nothing to weigh yet",
        "examples": "in no replicate did both the arm and its baseline train to their end",
        "effects": "no combination of the other factors has all of these levels",
    }
    for page, word in words.items():
        assert word in said(open_study(mlflow_server.uri, nothing.name, page=page)), page


def test_claims_costs_and_comparisons_are_over_all_studies(
    open_page: OpenStudy,
    said: Said,
    whole_study: Study,
    nothing: Study,
    filler: Any,
    make_study: MakeStudy,
    mlflow_server: ServerProcess,
) -> None:
    # Of a name of their own: other tests read all that the ledger has under the whole study's.
    first = make_study("compared", factors={"model.depth": (16, 22, 28)}, baseline={"model.depth": 16}, replicates=3)
    filler.finished(first)
    filler.finished(replace(first, fixed={"optimizer.lr": 0.5}), declared=first)
    claims = said(open_page(mlflow_server.uri, "claims"))
    assert "scaling by 0.1-0.3 stabilises training" in claims
    assert " claims: " in claims
    assert "more on its page" in claims
    costs = open_page(mlflow_server.uri, "costs")
    assert " of workers" in said(costs)
    assert whole_study.name in set(table(costs, "for each conclusion")["study"])
    app = open_page(mlflow_server.uri, "compare", first=first.name)
    assert "contrasts that both have" in said(app)
    rows = table(app, "second minus first")
    assert len(rows) == 2
    assert list(table(app, "field")["field"]) == ["optimizer.lr"]
    lone = open_page(mlflow_server.uri, "compare", first=first.name, second=nothing.name)
    assert "no contrast in common" in said(lone)
