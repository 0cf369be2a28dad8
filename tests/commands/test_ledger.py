"""`paribus ledger`: what waits on disk is listed and sent, by the study's name, at whatever settings it was made."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from shelf import Shelf

from paribus.commands.main import main
from paribus.execution.workers.trial_spec import outbox_of
from paribus.study import Study
from paribus.study.settings import settings_of
from paribus.tracking import Recorder
from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster


def left_on_disk(shelf: Shelf, home: Path, study: Study, declared: Study | None = None) -> None:
    """One result of the study that its worker could not send."""
    settings = settings_of(study, declared)
    shelf.settings[study.name] = settings
    with Recorder(outbox_of(home, study.name, settings), None) as recorder:
        shelf.record(recorder, study, shelf.trials(study)[0], 80.0)


def test_a_study_is_sent_at_all_its_settings_and_no_other_study_with_it(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path))
    study = Study(
        name=f"sent-{uuid.uuid4().hex[:8]}", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0
    )
    other = Study(name=f"{study.name}-2", base="synthetic", factors=study.factors, margin=4.0)
    left_on_disk(shelf, tmp_path, study)
    left_on_disk(shelf, tmp_path, study.vary(fixed={"budget": "3 steps"}), declared=study)
    left_on_disk(shelf, tmp_path, other)
    assert main(["ledger", "list", study.name]) == 0
    assert capsys.readouterr().out.count("1 attempts wait") == 2
    assert main(["ledger", "send", study.name, "--ledger", shelf.uri]) == 0
    assert capsys.readouterr().out.count("1 sent") == 2
    with Ledger(shelf.uri) as ledger:
        assert len(ledger.trials(study.name)) == 2
    assert main(["ledger", "list"]) == 0
    assert capsys.readouterr().out.startswith(f"{other.name}: 1 attempts wait")
