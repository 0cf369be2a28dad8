"""The driver's dealings with a ledger that is away: its lease, and what it writes down once the ledger is back."""

from __future__ import annotations

import uuid

import pytest
from faulty_line import Answer, Line, faulty_line
from sandbox import wait_for
from shelf import Shelf

from paribus.engine.options import Options
from paribus.engine.preview import make_preview
from paribus.execution import run_ledger
from paribus.execution.study_ledger import StudyLedger
from paribus.execution.workers.trial_spec import outbox_of
from paribus.study import Study
from paribus.study.settings import settings_of
from paribus.tracking import LeaseHeld
from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster


def study_of() -> Study:
    return Study(
        name=f"away-{uuid.uuid4().hex[:8]}", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0
    )


def opened(shelf: Shelf, line: Line, study: Study) -> StudyLedger:
    ledger = StudyLedger(study, line.uri, outbox_of(shelf.home, study.name, settings_of(study)), shelf.home)
    shelf.open.append(ledger)  # closed with it, whatever comes
    ledger.open(make_preview(study, shelf.home, [], Options()))
    return ledger


def test_a_process_that_could_not_tell_that_it_stopped_has_its_study_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notebook's kernel lives on after a run that ended while MLflow was away, and is no driver any more."""
    monkeypatch.setattr(run_ledger, "BUDGET_S", 0.5)
    study = study_of()
    with faulty_line(shelf.uri) as line:
        first = opened(shelf, line, study)
        with pytest.raises(LeaseHeld):
            opened(shelf, line, study)
        line.fail(Answer(status=503))
        first.finish("KILLED", {})
        first.close()
        line.heal()
        with Ledger(shelf.uri) as ledger:
            record = ledger.study(study.name)
            assert record is not None
            assert not record.live
        opened(shelf, line, study).finish("KILLED", {})


def test_a_driver_that_started_without_mlflow_writes_its_study_down_once_it_is_back(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By study.json and trials.json the dashboards, and a driver at other settings, know what is being trained."""
    monkeypatch.setattr(run_ledger, "BUDGET_S", 0.5)
    monkeypatch.setattr(run_ledger, "BEAT_S", 0.2)
    study = study_of()
    with faulty_line(shelf.uri) as line, Ledger(shelf.uri) as ledger:
        line.fail(Answer(status=503))
        driver = opened(shelf, line, study)
        line.heal()

        def trials_written() -> object:
            record = ledger.study(study.name)
            return record and ledger.json(record.run_id, "trials.json")

        wait_for(trials_written, "the study's trials")
        driver.finish("KILLED", {})
