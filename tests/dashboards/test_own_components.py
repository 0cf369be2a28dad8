"""A study with components of its own is judged from the ledger where their files are not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from shelf import Shelf
from streamlit.testing.v1 import AppTest

from paribus.commands.main import main
from paribus.engine.options import Options
from paribus.execution.driver import drive
from paribus.plugins import stand_beside
from paribus.recipe import RecipeError
from paribus.report.judging import judge
from paribus.report.reading import LedgerReader
from paribus.study import Study
from paribus.tracking.ledger import Ledger

pytestmark = pytest.mark.cluster
PARTS = Path(__file__).parents[2] / "studies" / "own" / "my_parts.py"


@pytest.fixture
def gone(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, dict[str, object]]:
    """The study's name, and what its report said when its file was still there."""
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    shutil.copy(PARTS, tmp_path)
    stand_beside(tmp_path)
    snakes = ("relu", "my_parts:Snake", "my_parts:Snake(alpha=2)")
    study = Study(name="own_gone", base="synthetic", factors={"model.activation": snakes}, replicates=4, margin=4.0)
    shelf.fill(study)
    assert drive(study, Options(ledger=shelf.uri), shelf.uri) == 0
    said = judge(study, shelf.uri, shelf.home).as_dict()
    (tmp_path / PARTS.name).unlink()
    stand_beside()
    with pytest.raises(RecipeError, match="there is no module 'my_parts'"):
        replace(study)
    return study.name, json.loads(json.dumps(said))


def test_pages_and_reports_say_what_they_said_before_the_file_was_deleted(
    gone: tuple[str, dict[str, object]],
    shelf: Shelf,
    open_study: Callable[[str, str], AppTest],
    said: Callable[[AppTest], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, expected = gone
    reader = LedgerReader(shelf.uri, budget_s=5.0)
    (record,) = [each for each in reader.studies() if each.name == name]
    found = reader.report(record, reader.trials(record))
    reader.close()
    assert found.trouble == ""
    assert json.loads(json.dumps(found.as_dict())) == expected

    page = open_study(shelf.uri, name)
    assert "There are no verdicts" not in said(page)
    verdicts = next(each.value for each in page.get("table") if "delta" in each.value.columns)
    contrasts = found.judged.contrasts
    said_of_each = [cell.partition(" ")[2].removesuffix("]") for cell in verdicts["verdict"]]
    assert said_of_each == [contrast.verdict for contrast in contrasts]
    assert list(verdicts["arm"]) == ["activation=my_parts:Snake", "activation=my_parts:Snake(alpha=2)"]

    with Ledger(shelf.uri) as ledger:
        (tmp_path / "study.json").write_bytes(ledger.artifact(record.run_id, "study.json"))
    capsys.readouterr()
    assert main(["report", str(tmp_path / "study.json"), "--ledger", shelf.uri, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == expected
    assert main(["plan", str(tmp_path / "study.json"), "--ledger", shelf.uri]) == 2
    assert "there is no module 'my_parts'" in capsys.readouterr().err
