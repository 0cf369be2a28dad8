"""Searches, their confirmations and tuned studies on all pages, over a real ledger into which their drivers walked."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from walked import Walker

from paribus import Choice, Float, Search, Study, Tuning
from paribus.engine.searches.tuning import arm_settings
from paribus.report.reading import LedgerReader
from paribus.report.searches.search_reading import is_search, is_tuning
from paribus.study.searches.arm_search import search_of
from paribus.study.searches.space import Levels
from paribus.study.searches.tuning import tuned_study
from paribus.tracking import MlflowRest, StudyHeader
from paribus.tracking import open_study as open_study_run
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import ServerProcess

pytestmark = pytest.mark.cluster

Open = Callable[..., AppTest]
Said = Callable[[AppTest], str]
SPACE = {
    "optimizer.lr": Float(1e-3, 1.0, log=True),
    "optimizer.nesterov": Choice(True, False),
    "optimizer.momentum": Float(0.1, 0.9, when={"optimizer.nesterov": True}),
}


def searched(name: str, **fields: Any) -> Search:
    usual = {"trials": 12, "scheduler": "asha(eta=3)", "sampler": "random", "fixed": {"budget": "9 epochs"}, "top": 2}
    return Search(**{"name": name, "space": SPACE, "confirm": 3, **usual, **fields})


def best_at_a_tenth(levels: Levels) -> float | str:
    rate = float(str(levels["optimizer.lr"]))
    return "diverged" if rate > 0.6 else 90.0 - 8 * abs(math.log10(rate) + 0.7)


@pytest.fixture(scope="module")
def walker(mlflow_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Walker:
    return Walker(mlflow_server.uri, tmp_path_factory.mktemp("walks"))


@pytest.fixture(scope="module")
def rate(walker: Walker, filler: Any) -> Search:
    """A search that was walked to its end, and confirmed."""
    search = searched("rate", question="Which rate suits it best?")
    best = walker.walk(search, best_at_a_tenth)
    study = search.confirmation(best)
    filler.finished(study, declared=study)
    return search


@pytest.fixture(scope="module")
def fair(walker: Walker, filler: Any) -> Study:
    """A study whose two arms were tuned."""
    study = Study(
        name="fair",
        factors={"model.residual_scale": (0.1, 1.0)},
        nuisance={"optimizer.lr": Float(0.01, 0.5, log=True)},
        tuning=Tuning(trials=6, sampler="random"),
        fixed={"budget": "3 epochs"},
        replicates=3,
    )
    found = {}
    for arm in study.arms:
        found[arm] = walker.walk(search_of(study, arm), best_at_a_tenth, arm_settings(study, arm))[0]
    filler.finished(tuned_study(study, found), declared=study)
    return study


@pytest.fixture
def open_search(open_home: Callable[[str], AppTest]) -> Open:
    """`open_search(uri, name)`: the Search page at `?search=name`, run once."""

    def start(uri: str, name: str) -> AppTest:
        app = open_home(uri)
        app.switch_page("pages/search.py")
        if name:
            app.query_params["search"] = name
        return app.run()

    return start


def links(app: AppTest) -> dict[str, str]:
    """Label to address of every link to a page."""
    return {each.proto.label: f"{each.proto.page}?{each.proto.query_string}" for each in app.get("page_link")}


def costs_of(open_study: Open, uri: str, name: str) -> Any:
    """The table of what a study cost, on its page of costs."""
    app = open_study(uri, name, page="cost")
    (costs,) = [each.value for each in app.get("table") if "what for" in each.value.columns]
    return costs


def figures(app: AppTest) -> dict[str, dict[str, Any]]:
    """By name, the page's figures: their HTML, and their points as rows of text."""
    told = [json.loads(each.proto.json) for each in app.get("bidi_component")]
    return {each["name"]: {**each, "rows": list(csv.DictReader(io.StringIO(each["csv"])))} for each in told}


def test_home_lists_a_search_as_a_search_and_a_tuning_as_the_tuning_of_its_study(
    open_home: Callable[[str], AppTest], said: Said, rate: Search, fair: Study, mlflow_server: ServerProcess
) -> None:
    app = open_home(mlflow_server.uri)
    text = said(app)
    assert "no study.json" not in text
    assert "search, exploratory" in text
    assert text.count("tuning of fair, exploratory") == 1
    assert all(f"- {arm.name}: best of what the search saw: top-1" in text for arm in fair.arms)
    assert text.count("best of what the search saw: top-1") == 3
    assert "12 of 12 trials have ended" in text
    shown = {each.label: each.value for each in app.metric}
    with_studies = LedgerReader(mlflow_server.uri, budget_s=5.0)
    names = {record.name for record in with_studies.studies() if not is_search(record)}
    alone = {record.name for record in with_studies.studies() if is_search(record) and not is_tuning(record)}
    with_studies.close()
    assert {"rate-confirmed", "fair"} <= names
    assert shown["Studies"] == str(len(names))
    assert shown["Searches"] == str(len(alone))
    found = links(app)
    assert any(label.startswith("rate-confirmed: the study") for label in found)
    assert any(label.startswith("rate: the search") for label in found)
    assert any(label.startswith("fair: the study whose arm") for label in found)


def test_a_search_has_a_page_with_what_it_found_and_what_stood_up(
    open_search: Open, said: Said, rate: Search, mlflow_server: ServerProcess
) -> None:
    app = open_search(mlflow_server.uri, rate.name)
    text = said(app)
    assert [title.value for title in app.title] == ["rate"]
    assert "Exploratory: one run of each setting" in text
    assert "best of what the search saw: top-1" in text
    assert "The best: " in text
    tables = {key: each.value for each in app.dataframe for key in each.value.columns}
    settings = tables["state"]
    assert list(settings["#"]) == list(range(12))
    states = [state.split(" ", 1)[1] for state in settings["state"]]
    assert {"finished", "cut"} <= set(states)
    assert "top-1 (%)" in settings.columns
    ended = settings["top-1 (%)"].notna()
    assert list(ended) == [state == "finished" for state in states]
    rungs = tables["cut here"]
    assert list(rungs["after epoch"]) == [1, 3, 9]
    assert int(rungs["cut here"].sum()) == states.count("cut")
    stood_up = tables["over the baseline, afresh (points)"]
    assert len(stood_up) >= 1
    assert set(stood_up["#"]) <= set(settings["#"])
    shown = figures(app)
    assert not app.get("plotly_chart"), "a library of 4.7 MB"
    slices = [f"slice-{path}" for path in SPACE]
    assert list(shown) == ["history", "parallel", *slices, "rungs", "timeline"]
    best = [float(row["y"]) for row in shown["history"]["rows"] if row["series"] == "best so far"]
    whole = [row for row in settings["top-1 (%)"] if row == row]
    assert max(best) == max(whole)
    assert shown["parallel"]["html"].count("<polyline") == len(whole)
    assert any(row["series"] == "cut" for row in shown["rungs"]["rows"])
    assert {int(row["y"]) for row in shown["timeline"]["rows"]} == set(range(12))
    assert "12 settings that ended are too few: it takes 20" in text
    assert "CSV, every setting" in {button.label for button in app.get("download_button")}
    assert any(label.startswith("rate-confirmed") for label in links(app))


def test_the_page_of_a_confirmation_shows_what_the_search_saw_beside_it(
    open_study: Open, said: Said, rate: Search, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, "rate-confirmed")
    assert "How its arms were found" in said(app)
    assert any("over the baseline, searched (points)" in each.value.columns for each in app.dataframe)
    costs = costs_of(open_study, mlflow_server.uri, "rate-confirmed")
    (searched,) = [row for row in costs.to_dict("records") if row["what for"] == "the search rate"]
    assert searched["trials"] == str(rate.trials)
    assert "search?search=rate" in "\n".join(links(app).values())


def test_the_page_of_a_tuned_study_says_what_each_arm_was_tuned_to(
    open_study: Open, open_search: Open, said: Said, fair: Study, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, fair.name)
    text = said(app)
    assert "How its arms were tuned" in text
    costs = costs_of(open_study, mlflow_server.uri, fair.name)
    trials = dict(zip(costs["what for"], costs["trials"], strict=True))
    for arm in fair.arms:
        assert f"{arm.name}: tuned to lr=" in text
        assert trials[f"tuning {arm.name}"] == str(fair.tuning.trials)
    assert f"tuned in each arm, with {fair.tuning.trials} trials in every one" in text.lower()
    assert {row["series"] for row in figures(app)["tuning"]["rows"]} == {arm.name for arm in fair.arms}
    page = open_search(mlflow_server.uri, "fair-tuning")
    assert "of the study fair, which then judges all arms afresh" in said(page)
    assert "Not confirmed yet" not in said(page)
    page.selectbox[0].select_index(1).run()
    assert page.title[0].value != "fair-tuning"
    said(page)


def test_a_search_on_its_way_or_without_a_setting_that_trained_shows_no_error_and_no_verdict(
    open_home: Callable[[str], AppTest],
    open_search: Open,
    said: Said,
    walker: Walker,
    mlflow_server: ServerProcess,
) -> None:
    begun, hopeless = searched("page_begun", against=("total_s",)), searched("page_hopeless", trials=9)
    walker.walk(begun, best_at_a_tenth, most=3)
    walker.walk(hopeless, lambda levels: "diverged")
    app = open_search(mlflow_server.uri, begun.name)
    assert "what is on the front by luck" in said(app)
    rows = next(each.value for each in app.dataframe if "state" in each.value.columns)
    assert "‖ waits at a rung" in list(rows["state"])
    text = said(open_search(mlflow_server.uri, hopeless.name))
    assert "No setting was trained to its end" in text
    assert "no setting was trained to its end yet" in said(open_home(mlflow_server.uri))


def test_an_address_of_the_wrong_page_leads_to_the_right_one(
    open_search: Open, open_study: Open, said: Said, rate: Search, mlflow_server: ServerProcess
) -> None:
    app = open_study(mlflow_server.uri, rate.name)
    assert "'rate' is a search, and no study" in said(app)
    assert "search?search=rate" in links(app)["rate"]
    app = open_search(mlflow_server.uri, "rate-confirmed")
    assert "'rate-confirmed' is a study, and no search" in said(app)
    assert "no search called 'nothing'" in said(open_search(mlflow_server.uri, "nothing"))


def test_a_search_without_its_document_says_what_to_do(
    open_search: Open, open_home: Callable[[str], AppTest], said: Said, mlflow_server: ServerProcess
) -> None:
    rest = MlflowRest(mlflow_server.uri)
    open_study_run(rest, StudyHeader(name="page_bare_search", design="search")).finish("FINISHED")
    rest.close()
    for page in (open_home(mlflow_server.uri), open_search(mlflow_server.uri, "page_bare_search")):
        assert "no search.json for 'page_bare_search'" in said(page)


def test_a_search_is_read_whole_where_its_data_are_not(
    rate: Search, mlflow_server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path / "elsewhere"))
    reader = LedgerReader(mlflow_server.uri, budget_s=5.0)
    (record,) = [each for each in reader.studies() if each.name == rate.name]
    report = reader.search(record)
    reader.close()
    with Ledger(mlflow_server.uri) as ledger:
        written = ledger.json(record.run_id, "found.json")
    told = json.loads(json.dumps(report.as_dict()))
    for said_so in (written, told):  # the walk was told made-up times
        for row in (*said_so["trials"], *said_so["best"]):
            del row["seconds"]
    assert told == {**written, "notes": []}
    assert report.search.settled == rate.settled
