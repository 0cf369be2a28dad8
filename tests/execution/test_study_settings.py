"""One study run per settings: a quick look leaves the study itself alone, and so do two drivers side by side."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shelf import Shelf

from paribus.commands.main import main
from paribus.commands.study import study_verbs as verbs
from paribus.engine.options import Options
from paribus.execution.driver import drive
from paribus.report.judging import judge
from paribus.study import Study
from paribus.study.document import write_study
from paribus.study.settings import settings_of
from paribus.tracking import LeaseHeld, MlflowRest, StudyHeader, open_study
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import get_run

pytestmark = pytest.mark.cluster


def study_of(**fields: Any) -> Study:
    made = {"name": f"set-{uuid.uuid4().hex[:8]}", "base": "synthetic", "factors": {"model.width": (0.25, 0.5)}}
    return Study(**{**made, "replicates": 3, "margin": 4.0, "question": "Wider?", **fields})


def quick(study: Study) -> Study:
    return study.vary(fixed={"budget": "3 steps"})


@pytest.fixture
def ledger(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    with Ledger(shelf.uri) as reader:
        yield reader


def test_a_quick_look_leaves_the_studys_own_run_as_it_was(
    shelf: Shelf, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of()
    shelf.fill(study)
    assert drive(study, Options(ledger=shelf.uri), shelf.uri) == 0
    before = ledger.study(study.name)
    assert before is not None
    kept = [
        ledger.artifact(before.run_id, name) for name in ("verdicts.json", "report.md", "study.json", "trials.json")
    ]
    shelf.fill(quick(study), declared=study)
    assert drive(quick(study), Options(ledger=shelf.uri, declared=study), shelf.uri) == 0
    assert f"{study.name} · budget=3 steps" in capsys.readouterr().out
    after = ledger.study(study.name)
    assert after is not None
    assert (after.run_id, after.title, after.counts) == (before.run_id, study.name, before.counts)
    assert replace(after, updated_ms=0) == replace(before, updated_ms=0)
    names = ("verdicts.json", "report.md", "study.json", "trials.json")
    assert [ledger.artifact(after.run_id, name) for name in names] == kept
    look = ledger.study(study.name, settings_of(quick(study)).digest)
    assert look is not None
    assert (look.title, get_run(ledger.rest, look.run_id).name) == (f"{study.name} · budget=3 steps",) * 2
    assert ledger.json(look.run_id, "verdicts.json")["settings"] == "budget=3 steps"
    parents = {record.trial_id: record.parent for record in ledger.trials(study.name)}
    assert {parents[trial.id] for trial in shelf.trials(study)} == {before.run_id}
    assert {parents[trial.id] for trial in shelf.trials(quick(study))} == {look.run_id}
    assert {record.title for record in ledger.studies() if record.name == study.name} == {before.title, look.title}


def test_report_and_status_speak_of_the_settings_asked_for(
    shelf: Shelf, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of()
    shelf.fill(study)
    shelf.fill(quick(study), lambda trial: 50.0 + trial.replicate, declared=study)
    for each in (study, quick(study)):
        shelf.opened(each, declared=study).finish("KILLED", {})
    asked = Options(ledger=shelf.uri, declared=study, json=True)
    verbs.report(study, asked)
    own = json.loads(capsys.readouterr().out)
    verbs.report(quick(study), asked)
    other = json.loads(capsys.readouterr().out)
    assert (own["settings"], other["settings"]) == ("", "budget=3 steps")
    assert other["verdicts"][0]["mean_delta"] == 0 != own["verdicts"][0]["mean_delta"]
    verbs.status(quick(study), Options(ledger=shelf.uri, declared=study))
    assert f"{study.name} · budget=3 steps: 6 of 6 trials have ended" in capsys.readouterr().out
    declared, look = ledger.study(study.name), ledger.study(study.name, settings_of(quick(study)).digest)
    assert declared is not None
    assert look is not None
    assert judge(study, shelf.uri, shelf.home).url == declared.url
    assert judge(quick(study), shelf.uri, shelf.home, settings_of(quick(study), study)).url == look.url


def run_of_the_last_release(shelf: Shelf, study: Study) -> str:
    with MlflowRest(shelf.uri) as rest:
        old = open_study(rest, StudyHeader(name=study.name))
        old.artifact("study.json", write_study(study).encode())
        old.artifact("trials.json", json.dumps([trial.id for trial in shelf.trials(study)]).encode())
        old.finish("FINISHED", {"finished": 6})
        return old.run_id


def test_the_one_run_of_the_last_release_goes_on_as_the_declared_one(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of()
    old = run_of_the_last_release(shelf, study)
    shelf.fill(study)
    (trial, *_) = ledger.trials(study.name)
    assert trial.parent == old
    look = shelf.opened(quick(study), declared=study)
    look.finish("KILLED", {})
    shelf.opened(study).finish("FINISHED", {})
    found = ledger.study(study.name)
    assert found is not None
    assert (found.run_id, found.settings) == (old, settings_of(study))
    assert len([record for record in ledger.studies() if record.name == study.name]) == 2


def test_a_quick_look_of_the_last_release_is_known_by_its_study_file(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of()
    old = run_of_the_last_release(shelf, quick(study))
    shelf.opened(study).finish("KILLED", {})
    found, look = ledger.study(study.name), ledger.study(study.name, settings_of(quick(study)).digest)
    assert found is not None
    assert look is not None
    assert found.run_id != old
    assert (look.run_id, look.title) == (old, f"{study.name} · budget=3 steps")
    shelf.opened(quick(study), declared=study).finish("KILLED", {})
    again = ledger.study(study.name, settings_of(quick(study)).digest)
    assert again is not None
    assert (again.run_id, again.title) == (old, f"{study.name} · budget=3 steps")


def test_a_study_file_that_was_changed_has_a_new_run_and_the_old_one_is_named(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of()
    shelf.opened(study).finish("KILLED", {})
    changed = study_of(name=study.name, fixed={"optimizer.lr": 0.2})
    shelf.opened(changed).finish("KILLED", {})
    found, before = ledger.study(study.name), ledger.study(study.name, settings_of(study).digest)
    assert found is not None
    assert before is not None
    assert (found.settings, found.title) == (settings_of(changed), study.name)
    assert before.title == f"{study.name} · optimizer.lr=0.05"


def test_two_settings_run_side_by_side_and_close_no_orphans_of_each_other(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of()
    first = shelf.opened(study)
    shelf.fill(study, lambda trial: "running")
    second = shelf.opened(quick(study), declared=study)
    assert {record.status for record in ledger.trials(study.name)} == {"RUNNING"}
    second.beat({})
    second.finish("KILLED", {})
    assert {record.status for record in ledger.trials(study.name)} == {"RUNNING"}
    with pytest.raises(LeaseHeld, match="already being run"):
        shelf.opened(study)
    first.finish("KILLED", {})
    assert {(record.status, record.interrupted) for record in ledger.trials(study.name)} == {("KILLED", True)}


def test_settings_that_share_trials_are_never_driven_at_once(shelf: Shelf) -> None:
    study = study_of(baseline={"model.width": 0.25})
    first = shelf.opened(study)
    same = study.vary(base=None)
    other = Study(
        name=study.name,
        base=study.base_recipe.replace({"model.width": 0.5}),
        factors=study.factors,
        baseline=study.baseline,
        replicates=4,
        margin=4.0,
    )
    assert settings_of(same) == settings_of(study)
    with pytest.raises(LeaseHeld, match="6 of these trials too"):
        shelf.opened(other, declared=study)
    first.finish("KILLED", {})
    shelf.opened(other, declared=study).finish("KILLED", {})


FILE = """from paribus import Study

study = Study(name={name!r}, base="synthetic", factors={{"model.width": (0.25, 0.5)}}, replicates=3, margin=4.0)
"""


def test_what_is_set_on_the_command_line_is_told_apart_from_the_file(
    shelf: Shelf, ledger: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, file = study_of(), tmp_path / "typed.py"
    file.write_text(FILE.format(name=study.name))
    where = [str(file), "--ledger", shelf.uri]
    assert main(["status", *where]) == 0
    assert f"{study.name}: 0 of 6 trials" in capsys.readouterr().out
    assert main(["status", *where, "--set", "budget='3 steps'", "--set", "resources.cpus=2"]) == 0
    assert f"{study.name} · budget=3 steps: 0 of 6 trials" in capsys.readouterr().out
    assert main(["plan", *where, "--set", "budget='3 steps'", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"] == "budget=3 steps"
    assert main(["report", *where, "--fresh"]) == 0
    assert "fresh: nobody has looked" in capsys.readouterr().out
