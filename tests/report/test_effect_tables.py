"""Effects of factors, and how far planned looks are, in whatever draws them; from a real ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shelf import Shelf

from paribus import Adaptive
from paribus.report.drawing.html_page import write_html
from paribus.report.drawing.markdown import markdown
from paribus.report.drawing.terminal import status_text, text_of
from paribus.report.judging import judge, standing
from paribus.report.reading import LedgerReader
from paribus.study import Study
from paribus.study.plan import Trial

pytestmark = pytest.mark.cluster
CROSSED = Study(
    name="crossed",
    base="synthetic",
    factors={"model.width": (0.25, 0.5), "optimizer.nesterov": (True, False)},
    margin=4.0,
    replicates=3,
)
LOOKS = Study(
    name="looks-asked",
    base="synthetic",
    factors={"model.width": (0.25, 0.5)},
    margin=4.0,
    replicates=Adaptive((3, 6, 9)),
)


def additive(trial: Trial) -> float:
    """Two points for the width, one less without Nesterov, and a little that depends on the replicate."""
    levels = trial.arm.as_dict()
    wide = 2.0 * (levels["model.width"] == 0.5)
    return 80 + wide - (not levels["optimizer.nesterov"]) + 0.01 * trial.replicate * (1 + wide)


def test_effects_of_factors_stand_in_every_form_of_a_report(shelf: Shelf, tmp_path: Path) -> None:
    shelf.fill(CROSSED, additive)
    found = judge(CROSSED, shelf.uri, shelf.home)
    rows = {row["name"]: row for row in json.loads(json.dumps(found.as_dict()))["effects"]}
    assert rows["k: 0.5 against 0.25"]["mean"] == pytest.approx(2.04)
    assert rows["k: 0.5 against 0.25"]["n"] == 3
    assert rows["nesterov: no against yes"]["mean"] == pytest.approx(-1.0)
    assert rows["k=0.5 with nesterov=no"]["mean"] == pytest.approx(0.0, abs=1e-9)
    for text in (text_of(found), markdown(found), write_html(found, tmp_path / "page.html").read_text()):
        assert "main effect of k: 0.5 against 0.25" in text
        assert "+2.04 [" in text
        assert "k=0.5 with nesterov=no" in text


def test_a_study_whose_arms_say_it_all_has_no_table_of_effects(shelf: Shelf) -> None:
    single = Study(name="single", base="synthetic", factors={"model.width": (0.25, 0.5)}, margin=4.0, replicates=3)
    shelf.fill(single)
    found = judge(single, shelf.uri, shelf.home)
    assert found.as_dict()["effects"] == []
    assert "effects of factors" not in text_of(found)


def test_trials_of_looks_to_come_are_not_counted_as_left(shelf: Shelf) -> None:
    shelf.fill(LOOKS, lambda trial: 80.0 + 5 * (trial.replicate % 2) if trial.replicate <= 3 else None)
    report = standing(LOOKS, shelf.uri, shelf.home)
    assert status_text(report).splitlines()[0] == "looks-asked: 6 of 12 trials have ended"
    assert {row.replicate for row in report.trials} == set(range(1, 7))
    assert "the next look is at 6 replicates" in text_of(judge(LOOKS, shelf.uri, shelf.home))


def test_the_dashboard_reads_the_looks_of_a_study_that_the_ledger_alone_knows(shelf: Shelf) -> None:
    shelf.fill(LOOKS, lambda trial: 80.0 + 5 * (trial.replicate % 2) if trial.replicate <= 3 else None)
    opened = shelf.opened(LOOKS)
    opened.finish("KILLED", {})
    reader = LedgerReader(shelf.uri, budget_s=10.0)
    try:
        record = next(record for record in reader.studies() if record.name == LOOKS.name)
        found = reader.report(record, reader.trials(record))
        assert found.study is not None
        assert found.study.adaptive is not None
        assert len(found.trials) == 12
        assert record.num_planned == 12
    finally:
        reader.close()
