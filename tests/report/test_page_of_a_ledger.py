"""A page beside the ledger that its trials came from: that they are the ledger's, or which of them are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from shelf import Shelf, drawn_at

from paribus.commands.main import main
from paribus.report.drawing.html_page import KIND, study_sheet, write_html
from paribus.report.judging import judge
from paribus.report.page.made import made_page
from paribus.report.page.sheet import document_in
from paribus.study import Study
from paribus.study.plan import Trial


@pytest.mark.cluster
def test_trials_that_are_not_the_ledgers_are_named(
    shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    widths = {"model.width": (0.25, 0.5)}
    study = Study(name="page-of-a-ledger", base="synthetic", factors=widths, margin=4.0, replicates=3)

    def fate(trial: Trial) -> float | str:
        wide = trial.arm.as_dict()["model.width"] == 0.5
        return "diverged" if wide and trial.replicate == 3 else drawn_at(trial)

    shelf.fill(study, fate, metrics=lambda trial: {"total_s": 2.0})
    page = write_html(judge(study, shelf.uri, shelf.home), tmp_path / "page.html")

    def said(path: Path, *words: str) -> tuple[int, str]:
        code = main(["verify", str(path), *words])
        return code, capsys.readouterr().out

    code, text = said(page, "--ledger", shelf.uri)
    assert code == 0, text
    assert "6 of 6 trials are what it holds" in text

    # Whoever makes up trials and draws a whole page from them: it proves itself, and the ledger knows better.
    document = document_in(page.read_text())
    first, second, third = document["trials"][:3]
    first["metrics"]["top1"] += 0.01
    second["outcome"] = "stuck"
    third["id"] = "0" * 64
    forged = tmp_path / "forged.html"
    forged.write_text(made_page(KIND, {name: part for name, part in document.items() if name != "made"}, study_sheet))
    assert said(forged)[0] == 0
    code, text = said(forged, "--ledger", shelf.uri)
    assert code == 1
    assert "3 of 6 trials are what it holds" in text
    assert re.search(r"k=0\.25 · r1 \(trial \w{12}\): top1 is \S+ in the page and \S+ in the ledger", text)
    assert re.search(r"k=0\.5 · r1 \(trial \w{12}\): outcome is stuck in the page and finished in the ledger", text)
    assert "k=0.25 · r2 (trial 000000000000): this ledger has no such trial" in text
    document = document_in(page.read_text())
    first, second = document["trials"][:2]
    first["arm"], second["arm"] = second["arm"], first["arm"]
    forged.write_text(made_page(KIND, {name: part for name, part in document.items() if name != "made"}, study_sheet))
    code, text = said(forged, "--ledger", shelf.uri)
    assert code == 1
    assert re.search(r"k=0\.5 · r1 \(trial \w{12}\): in the ledger that is k=0\.25 · r1", text)
    code, text = said(page, "--ledger", "http://127.0.0.1:9")
    assert code == 2, "it does not answer"
    assert "127.0.0.1:9" in text
    assert "judged again from its own runs" in text
