"""What a person decided after looking is known to the ledger: replicates that were added, another seed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shelf import Shelf, drawn_at

from paribus.commands.study import study_verbs as verbs
from paribus.engine.options import Options
from paribus.execution.driver import drive
from paribus.report.drawing.html_page import write_html
from paribus.report.drawing.markdown import markdown
from paribus.report.judging import judge
from paribus.study import Claim, Study
from paribus.study.document import write_study
from paribus.study.plan import Trial
from paribus.tracking import MlflowRest, StudyHeader, open_study
from paribus.tracking.ledger import Ledger
from paribus.tracking.studies.replication import Replication, read_replication

pytestmark = pytest.mark.cluster


def study_of(**fields: Any) -> Study:
    made = {"name": f"look-{uuid.uuid4().hex[:8]}", "base": "synthetic", "factors": {"model.width": (0.25, 0.5)}}
    claim = Claim("wider is better", "WRN", direction="better")
    return Study(**{**made, "replicates": 6, "margin": 4.0, "question": "Wider?", "claim": claim, **fields})


def wide_is_better(trial: Trial) -> float:
    return drawn_at(trial) + (9.0 if dict(trial.arm.levels)["model.width"] == 0.5 else 0.0)


@pytest.fixture
def ledger(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    with Ledger(shelf.uri) as reader:
        yield reader


def run(shelf: Shelf, study: Study, upto: int | None = None) -> None:
    """The study run to its end, or killed after `upto` replicates."""
    opened = shelf.opened(study)
    shelf.fill(study, lambda trial: wide_is_better(trial) if trial.replicate <= (upto or study.replicates) else None)
    opened.finish("KILLED" if upto else "FINISHED", {})
    shelf.close()


def kept(ledger: Ledger, study: Study) -> Replication:
    record = ledger.study(study.name)
    assert record is not None
    return record.replication


def test_replicates_that_were_added_when_verdicts_could_be_had_are_a_look(
    shelf: Shelf, ledger: Ledger, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study, more = study_of(), None
    run(shelf, study)
    assert judge(study, shelf.uri, shelf.home).analysis.claim.outcome == "reproduced"
    more = replace(study, replicates=7)
    run(shelf, more)
    assert [(look.pairs, look.last) for look in kept(ledger, study).looks] == [(6, 6)]
    assert drive(more, Options(ledger=shelf.uri), shelf.uri) == 0
    shown = capsys.readouterr().out
    assert "(after a look at 6)" in shown.replace("\n", " ")
    assert "claim reproduced, after looking" in shown
    judged = judge(more, shelf.uri, shelf.home)
    assert "better (after a look at 6)" in markdown(judged)
    assert "better (after a look at 6)" in write_html(judged, tmp_path / "page.html").read_text()
    data = judged.as_dict()
    assert data["claim"]["outcome"] == "reproduced, after looking"
    assert data["looks"]["own"] == (6,)
    assert 0.06 < data["looks"]["difference"] < 0.08
    record = ledger.study(study.name)
    assert record is not None
    assert ledger.json(record.run_id, "verdicts.json")["looks"]["phrase"] == "after a look at 6"


def test_plan_says_that_a_raise_is_itself_a_look_before_it_is_one(
    shelf: Shelf, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also for another seed; not for the same number again, nor where no verdict could be had."""

    def planned(asked: Study) -> tuple[str, str]:
        verbs.plan(asked, Options(ledger=shelf.uri, json=True))
        look = json.loads(capsys.readouterr().out)["look"]
        verbs.plan(asked, Options(ledger=shelf.uri))
        return look, capsys.readouterr().out

    study = study_of(replicates=2)
    assert planned(study)[0] == "", "nothing has run"
    run(shelf, study)
    assert planned(replace(study, replicates=4))[0] == "", "two pairs give no verdict"
    run(shelf, replace(study, replicates=4))
    look, text = planned(replace(study, replicates=7))
    assert "which is itself a look: verdicts will say `after a look at 4`" in look
    assert f"note: {look}" in text
    assert "`after a look at 4 of another seed`" in planned(replace(study, replicates=4, seed=1))[0]
    same, text = planned(replace(study, replicates=4))
    assert (same, "itself a look" in text) == ("", False)
    assert kept(ledger, study).looks == (), "to plan is not to look"


def test_a_killed_run_that_goes_on_at_the_same_number_has_had_no_look(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of()
    run(shelf, study, upto=4)
    run(shelf, study)
    run(shelf, study)
    assert kept(ledger, study).looks == ()
    assert judge(study, shelf.uri, shelf.home).analysis.claim.outcome == "reproduced"


def test_a_raise_in_the_middle_is_a_look_at_what_had_ended(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of()
    run(shelf, study, upto=2)
    run(shelf, replace(study, replicates=8), upto=4)
    assert kept(ledger, study).looks == (), "two pairs give no verdict"
    run(shelf, replace(study, replicates=9))
    assert [look.pairs for look in kept(ledger, study).looks] == [4]


def test_the_same_raise_is_one_look_and_each_further_one_counts(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of(replicates=3)
    for replicates in (3, 5, 5, 3, 5, 8):
        run(shelf, replace(study, replicates=replicates))
    assert [look.pairs for look in kept(ledger, study).looks] == [3, 5]
    found = judge(replace(study, replicates=8), shelf.uri, shelf.home).analysis
    assert found.looks.phrase() == "after looks at 3 and 5"
    assert judge(replace(study, replicates=5), shelf.uri, shelf.home).analysis.looks.own == (3,)


def test_fresh_judges_on_the_added_replicates_alone_at_the_full_alpha(
    shelf: Shelf, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of(replicates=4)
    run(shelf, study)
    more = replace(study, replicates=8)
    run(shelf, more)
    verbs.report(more, Options(ledger=shelf.uri, fresh=True, json=True))
    data = json.loads(capsys.readouterr().out)
    (row, *_) = data["verdicts"]
    assert (row["n"], row["after_looks"], data["looks"]) == (4, "", None)
    assert [pair.partition(":")[0] for pair in row["deltas"].split()] == ["r5", "r6", "r7", "r8"]
    assert data["claim"]["outcome"] == "reproduced"
    assert any("replicates 5 to 8 alone, added since the look at 4" in note for note in data["notes"])
    assert drive(more, Options(ledger=shelf.uri, fresh=True), shelf.uri) == 0
    assert "replicates 5 to 8 alone" in capsys.readouterr().out


def test_fewer_replicates_than_the_ledger_holds_are_not_passed_off_as_the_study(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of(replicates=5)
    run(shelf, replace(study, replicates=7))
    (note,) = [note for note in judge(study, shelf.uri, shelf.home).notes if "the ledger holds" in note]
    assert "holds 7 replicates, and these are the first 5" in note
    assert not any(
        "the ledger holds" in note for note in judge(replace(study, replicates=7), shelf.uri, shelf.home).notes
    )


def test_another_seed_after_a_look_is_a_look(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of()
    run(shelf, study)
    other = replace(study, seed=1)
    run(shelf, other)
    found = judge(other, shelf.uri, shelf.home).analysis
    assert found.looks.phrase() == "after a look at 6 of another seed"
    assert found.claim.outcome == "reproduced, after looking"
    assert not judge(study, shelf.uri, shelf.home).analysis.looks, "nobody had looked at anything before seed 0"


def test_a_margin_chosen_after_a_look_is_told_by_plan_by_report_and_by_whoever_reads_it_later(
    shelf: Shelf, ledger: Ledger, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = study_of()
    run(shelf, study)
    wide = replace(study, margin=8.0)
    words_ = "the margin was 4 points when verdicts on 6 pairs could be had; it is now 8 points"
    verbs.plan(wide, Options(ledger=shelf.uri))
    assert words_ in " ".join(capsys.readouterr().out.split())
    for noted in (False, True):
        if noted:
            run(shelf, wide)
        judged = judge(wide, shelf.uri, shelf.home)
        assert any(words_ in note for note in judged.analysis.notes)
        assert "(margin chosen after a look at 6)" in markdown(judged)
        assert "(margin chosen after a look at 6)" in write_html(judged, tmp_path / "page.html").read_text()
        data = judged.as_dict()
        assert data["claim"]["outcome"].endswith("after looking")
        assert data["looks"]["chosen"] == [{"what": "margin", "was": "4 points", "now": "8 points", "pairs": 6}]
        assert data["looks"]["difference"] is None, "no error rate holds, so that none is told"
        assert [choice.what for choice in kept(ledger, study).choices] == (["margin"] if noted else [])
    assert not judge(study, shelf.uri, shelf.home).analysis.looks, "the margin of before the look is the study's own"
    fresh = judge(wide, shelf.uri, shelf.home, fresh=True)
    assert fresh.analysis.contrasts[0].n == 6
    assert fresh.analysis.looks, "nothing was added, so that nothing is fresh"
    more = replace(wide, replicates=9)
    run(shelf, more)
    fresh = judge(more, shelf.uri, shelf.home, fresh=True)
    assert (fresh.analysis.contrasts[0].n, bool(fresh.analysis.looks)) == (3, False)


def test_results_trained_again_after_a_look_are_told_before_and_after(
    shelf: Shelf, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    study = study_of()
    shelf.opened(study).finish("FINISHED", {})
    shelf.fill(study, wide_is_better, code="other code")
    verbs.plan(study, Options(ledger=shelf.uri, json=True))
    assert json.loads(capsys.readouterr().out)["look"] == "", "what is stale is left until it is asked for again"
    verbs.plan(study, Options(ledger=shelf.uri, redo=True, json=True))
    assert "were trained again by other code" in json.loads(capsys.readouterr().out)["look"]
    assert not judge(study, shelf.uri, shelf.home).analysis.looks
    shelf.opened(study, redo=True).finish("KILLED", {})
    judged = judge(study, shelf.uri, shelf.home)
    assert judged.analysis.looks.phrase() == "trained again after a look at 6"
    assert judged.analysis.claim.outcome == "reproduced, after looking"
    assert 0.08 < judged.as_dict()["looks"]["difference"] < 0.11
    shelf.close()


def test_a_study_of_the_last_release_that_is_extended_has_had_a_look(shelf: Shelf, ledger: Ledger) -> None:
    study = study_of()
    with MlflowRest(shelf.uri) as rest:
        old = open_study(rest, StudyHeader(name=study.name))
        old.artifact("study.json", write_study(study).encode())
    shelf.fill(study, wide_is_better)
    run(shelf, replace(study, replicates=8))
    assert [look.pairs for look in kept(ledger, study).looks] == [6]


def test_a_damaged_tag_is_no_traceback() -> None:
    for text in ("", "null", "[]", "{", '{"asked": 3, "looks": []}', '{"asked": [[0, 5]], "looks": [{"seed": 1}]}'):
        assert read_replication(text) == Replication()
