"""`paribus ledger upgrade`: an earlier release's trials are current again without training, and can be put back."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import pytest
from shelf import Shelf

from paribus.commands.main import main
from paribus.engine.code_digest import trial_code
from paribus.engine.options import Options
from paribus.engine.preview import make_preview
from paribus.recipe.code.releases import code_then
from paribus.study import Study
from paribus.tracking import LedgerError, MlflowRest
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.runs import get_run
from paribus.tracking.mlflow.server import ServerProcess
from paribus.tracking.schema import SCHEMA, set_schema

pytestmark = pytest.mark.cluster
THEN, BEFORE_THAT = "bfdc29694eb4939d", "ca73ee88693f9517"  # of 5885a4d, and of c72fe33


@pytest.fixture
def old(shelf: Shelf) -> Study:
    """A study whose trials the release at 5885a4d recorded, but one that an earlier one did."""
    study = Study(
        name=f"old-{uuid.uuid4().hex[:8]}",
        base="synthetic",
        factors={"model.width": (0.25, 0.5)},
        replicates=2,
        margin=4.0,
    )
    shelf.fill(
        study, lambda trial: None if trial.replicate == 2 and trial.arm in study.baselines else 80.0, **_code(THEN)
    )
    shelf.fill(study, **_code(BEFORE_THAT))
    recipes = {trial.id: trial.recipe for trial in shelf.trials(study)}
    with MlflowRest(shelf.uri) as rest, Ledger(shelf.uri) as ledger:
        for record in ledger.trials(study.name):
            run = get_run(rest, record.run_id)
            rest.put_artifact(run.artifact_uri, "recipe.json", recipes[record.trial_id].model_dump_json().encode())
            set_schema(rest, run.experiment_id, 1)
    return study


def _code(code: str) -> dict[str, str]:
    return {"code": code}


def actions(shelf: Shelf, study: Study) -> list[str]:
    with Ledger(shelf.uri) as ledger:
        preview = make_preview(study, shelf.home, ledger.trials(study.name), Options())
    return sorted(step.action for step in preview.plan.steps)


def tagged(shelf: Shelf, study: Study) -> list[str]:
    with Ledger(shelf.uri) as ledger:
        return sorted(record.code for record in ledger.trials(study.name))


def test_an_upgrade_makes_what_is_the_same_current_and_nothing_else_twice_over_and_back(
    shelf: Shelf,
    shelf_server: ServerProcess,
    old: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(tmp_path))
    (tmp_path / "mlflow").symlink_to(shelf_server.folder)
    new = code_then(THEN, old.recipe_of(old.arms[0]))
    assert new is not None
    assert tagged(shelf, old) == [THEN] * 3 + [BEFORE_THAT]
    assert actions(shelf, old) == ["stale"] * 4

    assert main(["ledger", "upgrade"]) == 0
    said = capsys.readouterr().out
    assert "3 trials of an earlier release now have the code of their own recipe" in said
    assert old.name in said
    assert tagged(shelf, old) == sorted([new] * 3 + [BEFORE_THAT])
    if new == trial_code(old.recipe_of(old.arms[0])):  # while nothing that these trials run through has changed
        assert actions(shelf, old) == ["skip"] * 3 + ["stale"]

    (backup,) = (tmp_path / "ledger-backups").glob("*.jsonl")
    (copy,) = (tmp_path / "ledger-backups").glob("*.db")
    with closing(sqlite3.connect(copy)) as database:
        kept = database.execute("SELECT count(*) FROM tags WHERE key = 'paribus.code' AND value = ?", (THEN,))
        assert kept.fetchone() == (3,)
    assert main(["ledger", "upgrade"]) == 0
    assert "0 trials of an earlier release" in capsys.readouterr().out
    assert len(list((tmp_path / "ledger-backups").iterdir())) == 2

    assert main(["ledger", "upgrade", "--restore", str(backup)]) == 0
    assert "3 trials have the code again" in capsys.readouterr().out
    assert tagged(shelf, old) == [THEN] * 3 + [BEFORE_THAT]
    # As after an interruption: one trial is done, the others and the study's number are not.
    with Ledger(shelf.uri) as ledger, MlflowRest(shelf.uri) as rest:
        done = next(record for record in ledger.trials(old.name) if record.code == THEN)
        rest.post("runs/set-tag", {"run_id": done.run_id, "key": "paribus.code", "value": new})
    assert main(["ledger", "upgrade", "--ledger", shelf.uri]) == 0
    assert "2 trials of an earlier release" in capsys.readouterr().out
    assert tagged(shelf, old) == sorted([new] * 3 + [BEFORE_THAT])


def test_a_ledger_that_a_later_program_wrote_is_refused_in_words(shelf: Shelf, old: Study) -> None:
    with MlflowRest(shelf.uri) as rest, Ledger(shelf.uri) as ledger:
        experiment = get_run(rest, ledger.trials(old.name)[0].run_id).experiment_id
        set_schema(rest, experiment, SCHEMA + 1)
        try:
            for read in (lambda: ledger.trials(old.name), ledger.studies, lambda: shelf.opened(old)):
                with pytest.raises(
                    LedgerError, match=rf"'{old.name}' was written by a later Paribus \(schema {SCHEMA + 1}"
                ):
                    read()
        finally:
            set_schema(rest, experiment, 1)
        assert len(ledger.trials(old.name)) == 4


def test_what_is_no_backup_is_refused(shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("hello\n")
    assert main(["ledger", "upgrade", "--ledger", shelf.uri, "--restore", str(tmp_path / "notes.txt")]) != 0
    assert "is no backup that `paribus ledger upgrade` wrote" in capsys.readouterr().err
