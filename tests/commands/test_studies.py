"""`paribus studies`, and `status`, `report`, `export` and `search best` by name, where no study file is."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from shelf import Shelf
from walked import Walker

from paribus import Float, Search, Study, Tuning
from paribus.commands.main import main
from paribus.engine.options import Options
from paribus.engine.searches.tuning import arm_settings
from paribus.execution.driver import drive
from paribus.report.judging import judge, standing
from paribus.study.searches.arm_search import search_of
from paribus.study.searches.space import Levels
from paribus.study.searches.tuning import tuned_study

pytestmark = pytest.mark.cluster
Said = pytest.CaptureFixture[str]


def best_at_a_tenth(levels: Levels) -> float:
    return 90.0 - 8 * abs(math.log10(float(str(levels["optimizer.lr"]))) + 1)


def wide(name: str, **fields: Any) -> Study:
    factors = {"model.width": (0.25, 0.5)}
    usual = {"base": "synthetic", "factors": factors, "replicates": 3, "margin": 4.0, "question": "Is wide better?"}
    return Study(name=name, **{**usual, **fields})


@pytest.fixture(autouse=True)
def at_home(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without any study, the ledger by its variable."""
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shelf.uri)
    monkeypatch.delenv("PARIBUS_BASE", raising=False)
    monkeypatch.chdir(tmp_path)


def told(said: Said, *words: object) -> str:
    assert main([str(word) for word in words]) == 0
    return said.readouterr().out


def refused(said: Said, *words: object) -> str:
    assert main([str(word) for word in words]) == 2
    found = said.readouterr()
    assert found.out == ""
    return found.err


def test_a_study_is_listed_and_shown_by_name_as_by_its_file(shelf: Shelf, capsys: Said) -> None:
    study = wide("by_name")
    shelf.fill(study)
    assert drive(study, Options(ledger=shelf.uri), shelf.uri) == 0
    quick = wide("by_name", fixed={"budget": "3 steps"})
    shelf.fill(quick, lambda trial: "running" if trial.replicate == 2 else None, declared=study)
    shelf.opened(quick, declared=study)
    capsys.readouterr()

    rows = json.loads(told(capsys, "studies", "by_name", "--json"))
    assert [(row["settings"], row["kind"], row["state"]) for row in rows] == [
        ("budget=3 steps", "study", "running"),
        ("", "study", "finished"),
    ]
    report = judge(study, shelf.uri, shelf.home)
    assert rows[1]["verdicts"] == report.judged.verdict_counts()
    assert (rows[1]["planned"], rows[1]["outcomes"]) == (6, {"finished": 6})
    table = told(capsys, "studies", "by_name", "WIDE better", "--state", "finished")
    assert "by_name  study  finished  6 of 6" in table
    assert "budget" not in table

    assert json.loads(told(capsys, "report", "by_name", "--json")) == report.as_dict()
    assert json.loads(told(capsys, "status", "by_name", "--json")) != []
    assert told(capsys, "status", "by_name").startswith("by_name: 6 of 6 trials have ended")
    exported = told(capsys, "export", "by_name").splitlines()
    assert len(exported) == 1 + len(standing(study, shelf.uri, shelf.home).begun)
    for words in (("by_name · budget=3 steps",), ("by_name", "--settings", "budget=3 steps")):
        assert told(capsys, "status", *words).startswith("by_name · budget=3 steps: 0 of 6 trials have ended")
    page = Path("page.html")
    assert "by_name: arm minus baseline" in told(capsys, "report", "by_name", "--html", page)
    assert "Is wide better?" in page.read_text()
    assert told(capsys, "verify", page).startswith("page.html: proven\n")

    assert "did you mean 'by_name'?" in refused(capsys, "report", "by_nam")
    assert "budget=3 steps" in refused(capsys, "report", "by_name", "--settings", "budget=4 steps")
    assert "--set varies a study's file" in refused(capsys, "report", "by_name", "--set", "budget=3 steps")
    assert "is for a name" in refused(capsys, "report", "by_name.py", "--settings", "x")
    assert told(capsys, "studies", "no_such_word").startswith("none of the ")


def test_a_search_is_shown_by_name_with_what_stood_up(shelf: Shelf, capsys: Said) -> None:
    space = {"optimizer.lr": Float(1e-3, 1.0, log=True)}
    search = Search(name="rate_by_name", space=space, trials=4, scheduler="none", sampler="random", confirm=3, top=1)
    best = Walker(shelf.uri, shelf.home).walk(search, best_at_a_tenth)
    confirming = search.confirmation(best)
    shelf.fill(confirming)
    assert drive(confirming, Options(ledger=shelf.uri), shelf.uri) == 0
    capsys.readouterr()

    kinds = {row["name"]: row["kind"] for row in json.loads(told(capsys, "studies", "rate_by_name", "--json"))}
    assert kinds == {"rate_by_name": "search", "rate_by_name-confirmed": "study"}
    text = told(capsys, "report", "rate_by_name")
    assert "what the search saw (one run, held-out data) and what stood up" in text
    assert "the best: " in text
    assert told(capsys, "search", "best", "rate_by_name").splitlines()[-1] in text
    assert len(told(capsys, "export", "rate_by_name").splitlines()) == 5
    assert "is a study" in refused(capsys, "search", "best", "rate_by_name-confirmed")
    assert main(["search", "importance", "rate_by_name"]) == 1, "nothing can be told"
    said = capsys.readouterr().out
    assert "PED-ANOVA: none, for 4 settings that ended are too few: it takes 20" in said
    assert "Exploratory: importance says where" in said
    assert main(["search", "importance", "rate_by_name", "--json"]) == 1
    methods = {each["method"]: each["fields"] for each in json.loads(capsys.readouterr().out)}
    assert methods == {"PED-ANOVA": [], "fANOVA": []}


def test_a_tuned_study_is_shown_by_name_with_how_its_arms_were_tuned(shelf: Shelf, capsys: Said) -> None:
    study = wide(
        "tuned_by_name",
        factors={"model.width": (0.5, 1.0)},
        base="digits",
        nuisance={"optimizer.lr": Float(0.01, 0.5, log=True)},
        tuning=Tuning(trials=2),
    )
    walker = Walker(shelf.uri, shelf.home)
    found = {}
    for arm in study.arms:
        found[arm] = walker.walk(search_of(study, arm), best_at_a_tenth, arm_settings(study, arm))[0]
    assert "its arms are being tuned" in refused(capsys, "report", "tuned_by_name")
    tuned = tuned_study(study, found)
    shelf.fill(tuned, declared=study)
    assert drive(tuned, Options(ledger=shelf.uri, declared=study), shelf.uri) == 0
    capsys.readouterr()

    assert "2 tunings of arms are not listed" in told(capsys, "studies", "tuned_by_name")
    assert told(capsys, "studies", "--kind", "tuning", "tuned_by_name").count("tuning of tuned_by_name") == 2
    assert "tuned in each arm, with 2 trials in every one" in told(capsys, "report", "tuned_by_name")
    data = json.loads(told(capsys, "report", "tuned_by_name", "--json"))
    assert [row["trials"] for row in data["tuning"]] == [2, 2]
