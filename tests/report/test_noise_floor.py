"""The noise floor in every form of a report, of a study at hand and of the ledger alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shelf import Shelf, drawn_at

from paribus.engine.options import Options
from paribus.execution.driver import drive
from paribus.report.drawing.figures.forest import forest
from paribus.report.drawing.html_page import write_html
from paribus.report.drawing.markdown import markdown
from paribus.report.drawing.terminal import text_of
from paribus.report.judging import judge, standing
from paribus.report.reading import LedgerReader
from paribus.study import Study


@pytest.mark.cluster
def test_a_noise_floor_stands_beside_the_contrasts_in_every_form(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    fields: dict[str, Any] = {"base": "synthetic", "factors": {"model.width": (0.25, 0.5)}, "margin": 4.0}
    study = Study(name="floor", baseline={"model.width": 0.25}, replicates=4, noise_floor=True, **fields)
    shelf.fill(study, drawn_at, metrics=lambda trial: {"total_s": 2.0})
    assert drive(study, Options(ledger=shelf.uri), shelf.uri) == 0
    report = judge(study, shelf.uri, shelf.home)
    assert report.counts() == {"finished": 12}
    assert [row.arm for row in report.arms] == list(study.trained)
    told = report.as_dict()
    assert [row["verdict"] for row in told["verdicts"]][1] == "noise floor"
    assert sum(told["counts"].values()) == 1, "one contrast has a verdict"
    assert {row["kind"]: row["name"] for row in told["cost"]["rows"]}["arm"] == "baseline again (A/A)"
    for text in (text_of(report), markdown(report), write_html(report, tmp_path / "page.html").read_text()):
        assert "baseline again (A/A)" in text
        assert "noise floor: a difference without an effect" in text
        assert "and so do" in text
    assert ">noise floor</b>" in forest(report.judged.on_primary)
    assert len(standing(study, shelf.uri, shelf.home).trials) == 12
    reader = LedgerReader(shelf.uri, budget_s=5.0)
    (record,) = [each for each in reader.studies() if each.name == "floor"]
    alone = reader.report(record, reader.trials(record))
    reader.close()
    assert alone.as_dict() == told
    assert alone.study is not None
    assert alone.study.floors == study.floors
    assert list(alone.compared().values()) == [[arm.name for arm in study.trained]]
