"""A search's plan against the ledger: whose trials they are, which are stale, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paribus import Choice, Float, Search
from paribus.engine.code_digest import trial_code
from paribus.engine.options import Options
from paribus.engine.searches.search_preview import SearchPreview, make_search_preview
from paribus.engine.searches.search_records import trial_of
from paribus.report.searches.search_texts import search_plan_text
from paribus.shards.catalog import data_digest
from paribus.study import StudyError
from paribus.study.searches.search_document import read_search, write_search
from paribus.tracking.trials.record import TrialRecord

RATE = {"optimizer.lr": Float(1e-3, 1.0, log=True)}


LEARNS = {"sampler": "tpe", "scheduler": "none"}


def search(**fields: Any) -> Search:
    return Search(**{"name": "rate", "space": RATE, "trials": 9, "fixed": {"budget": "9 epochs"}, **LEARNS, **fields})


def recorded(made: Search, home: Path, number: int, rate: float, **facts: Any) -> TrialRecord:
    trial = trial_of(made, number, {"optimizer.lr": rate}, lambda recipe: data_digest(recipe, home))
    return replace(
        TrialRecord(
            trial_id=trial.id,
            study=made.name,
            arm=trial.arm,
            arm_name=trial.arm.name,
            replicate=trial.replicate,
            run_id=f"run-{number}",
            code=trial_code(trial.recipe),
            outcome="finished",
            metrics={"top1": 90.0 + number},
        ),
        **facts,
    )


def previewed(made: Search, home: Path, records: list[TrialRecord], **options: Any) -> SearchPreview:
    return make_search_preview(made, home, records, lambda own: {}, Options(**options))


def test_only_trials_of_this_very_search_are_its_own(tmp_path: Path) -> None:
    made = search()
    records = [recorded(made, tmp_path, 0, 0.1), recorded(made, tmp_path, 1, 0.3)]
    other = search(sampler="random")
    records += [recorded(other, tmp_path, 1, 0.2), replace(records[0], replicate=5)]
    found = previewed(made, tmp_path, records)
    assert {number: each.trial_id for number, each in found.records.items()} == {
        0: records[0].trial_id,
        1: records[1].trial_id,
    }
    assert found.counts() == {"finished": 2, "to come": 7}
    assert [each.number for each in found.walk.ranked()] == [1, 0]
    assert [each.number for each in found.walk.best()] == [1], "the first is the baseline"


def test_results_of_other_code_are_stale_until_a_person_says_what_to_do(tmp_path: Path) -> None:
    made = search()
    records = [recorded(made, tmp_path, 0, 0.1), recorded(made, tmp_path, 1, 0.3, code="another")]
    assert previewed(made, tmp_path, records).stale == (1,)
    accepted = previewed(made, tmp_path, records, accept_code=True)
    assert (accepted.stale, accepted.counts()) == ((), {"finished": 2, "to come": 7})
    redone = previewed(made, tmp_path, records, redo=True)
    assert (redone.stale, redone.counts()) == ((), {"finished": 1, "interrupted": 1, "to come": 7})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"scheduler": "asha", "fixed": {"budget": "40 steps"}}, "decides after whole epochs"),
        ({"scheduler": "asha", "space": {**RATE, "budget.amount": Float(5.0, 9.0)}}, "leave it out of the space"),
        (
            {"scheduler": "asha", "metric": "ece", "margin": 0.1},
            "decides by ece after an epoch, and that is known at its end alone",
        ),
        (
            {"scheduler": "asha", "fixed": {"budget": "9 epochs", "evaluation.every_epochs": 3}},
            "evaluation.every_epochs = 3: set it to 1",
        ),
        ({"scheduler": "asha", "trials": 5}, "of 5 trials none would train all 9 epochs"),
        ({"sampler": "cma"}, "no sampler 'cma'"),
        ({"sampler": "grid"}, "cannot be counted: give it a step"),
        ({"margin": 0.01}, "margin"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_trained(
    tmp_path: Path, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((StudyError, ValueError)) as refused:
        previewed(search(**fields), tmp_path, [])
    assert sentence in str(refused.value)


def test_a_plan_says_what_will_not_come_about(tmp_path: Path) -> None:
    few = previewed(search(scheduler="asha", trials=9, top=3), tmp_path, [])
    assert any("trains 1 of 9 settings to their end beside the baseline" in note for note in few.notes)
    small = previewed(search(space={"optimizer.lr": Choice(0.1, 0.3)}), tmp_path, [])
    assert any("the space has only 2 settings" in note for note in small.notes)
    band = previewed(search(scheduler="hyperband", trials=10), tmp_path, [])
    assert any("trials would fill them" in note for note in band.notes)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"metric": "brier", "margin": 0.05}, "decides by brier after an epoch, and that is known at its end alone"),
        ({"metric": "ece", "margin": 2.0}, "decides by ece after an epoch, and that is known at its end alone"),
        ({"fixed": {"budget": "40 steps"}}, "decides after whole epochs"),
        ({"space": {**RATE, "budget.amount": Float(5.0, 9.0)}}, "leave it out of the space"),
        ({"fixed": {"budget": "9 epochs", "evaluation.every_epochs": 3}}, "evaluation.every_epochs = 3"),
        ({"fixed": {"budget": "1 epochs"}}, "trials of one epoch have nothing to cut"),
    ],
)
def test_where_no_scheduler_is_named_one_is_taken_that_fits_and_the_plan_says_so(
    tmp_path: Path, fields: dict[str, Any], why: str
) -> None:
    made = search(**{**fields, "scheduler": ""})
    found = previewed(made, tmp_path, [])
    assert found.walk.scheduler.name == "none"
    (note,) = [each for each in found.notes if each.startswith("no trial is cut short")]
    assert why in note
    assert found.as_dict()["scheduler"] == "none"
    assert "scheduler none" in search_plan_text(found)
    with pytest.raises(StudyError):
        previewed(replace(made, scheduler="top_k"), tmp_path, [])


def test_where_trials_can_be_judged_after_an_epoch_the_usual_scheduler_is_the_one_that_was_named(
    tmp_path: Path,
) -> None:
    made, named = search(scheduler=""), search(scheduler="top_k")
    assert made.settled == named.settled
    found = previewed(made, tmp_path, [])
    assert found.walk.scheduler.name == "top_k"
    assert not any("cut short" in note for note in found.notes)
    assert read_search(write_search(made)).scheduler == "top_k"
    assert previewed(search(metric="brier", margin=0.05), tmp_path, []).notes == ()
