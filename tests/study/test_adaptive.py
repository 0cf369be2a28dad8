"""Planned looks are a number of replicates that knows how it is reached."""

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from paribus import Adaptive, Study
from paribus.engine.looks import check_fresh
from paribus.engine.options import Options
from paribus.execution.driver import drive
from paribus.study import StudyError
from paribus.study.document import read_study, write_study
from paribus.study.plan import Known, make_plan, trials

LOOKS = Adaptive((3, 5, 8), trials=40)


def study(**fields: Any) -> Study:
    return Study(**{"name": "a", "factors": {"model.depth": (16, 22, 28)}, "replicates": LOOKS, **fields})


def test_the_number_is_the_last_look_and_reads_as_one() -> None:
    assert (LOOKS, f"{LOOKS}", repr(LOOKS)) == (8, "8", "Adaptive((3, 5, 8), trials=40)")
    assert study().adaptive is LOOKS
    assert study(replicates=8).adaptive is None


def test_looks_go_through_a_pickle_and_through_the_ledgers_document() -> None:
    for read in (pickle.loads(pickle.dumps(LOOKS)), read_study(write_study(study())).adaptive):
        assert isinstance(read, Adaptive)
        assert (read.looks, read.trials) == ((3, 5, 8), 40)


def test_a_budget_in_hours_goes_through_them_too_and_a_document_without_one_has_none() -> None:
    limited = Adaptive((3, 5, 8), trials=40, hours=2.5)
    assert repr(limited) == "Adaptive((3, 5, 8), trials=40, hours=2.5)"
    written = write_study(study(replicates=limited))
    for read in (pickle.loads(pickle.dumps(limited)), read_study(written).adaptive):
        assert isinstance(read, Adaptive)
        assert (read.looks, read.trials, read.hours) == ((3, 5, 8), 40, 2.5)
    assert "hours" not in json.loads(write_study(study()))["adaptive"], "what an earlier release reads"
    assert LOOKS.hours is None


def test_another_number_takes_the_looks_place() -> None:
    assert replace(study(), replicates=5).adaptive is None


@pytest.mark.parametrize(
    ("looks", "more", "words"),
    [
        ((2, 5), {}, "the first at least 3"),
        ((5, 5), {}, "that rise"),
        ((8, 5), {}, "that rise"),
        ((5,), {}, "a single look is replicates=5"),
        ((), {}, "a single look is replicates=5"),
        (tuple(range(3, 20)), {}, "two to 12 numbers"),
        ((3, 4.5), {}, "give numbers of replicates"),
        ((3, True), {}, "give numbers of replicates"),
        ("35", {}, "give numbers of replicates"),
        ((3, 5), {"trials": 0}, "trials = 0"),
        ((3, 5), {"trials": 2.5}, "trials = 2.5"),
        ((3, 5), {"hours": 0}, "hours = 0: the most hours of the whole study, a number above 0"),
        ((3, 5), {"hours": -1.0}, "hours = -1.0"),
        ((3, 5), {"hours": float("nan")}, "hours = nan"),
        ((3, 5), {"hours": float("inf")}, "hours = inf"),
        ((3, 5), {"hours": True}, "hours = True"),
        ((3, 5), {"hours": "2"}, "hours = '2'"),
    ],
)
def test_looks_that_cannot_be_are_refused(looks: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        Adaptive(looks, **more)


def test_a_plan_keeps_what_no_look_asks_for_yet() -> None:
    made = study()
    drawn = trials(made, lambda recipe: "digest")
    known = {
        drawn[0].id: Known(outcome="finished", code="c", attempt=1),
        drawn[-1].id: Known(outcome="finished", code="c", attempt=1),
    }
    plan = make_plan(made, drawn, known, code=lambda recipe: "c", wanted=lambda trial: trial.replicate <= 3)
    assert plan.counts() == {"skip": 2, "start": 8, "later": 14}
    assert {step.trial.replicate for step in plan.todo} == {1, 2, 3}


def test_looks_that_could_look_at_nothing_are_refused() -> None:
    with pytest.raises(StudyError, match="the first look, at 3 replicates of 3 arms, takes 9"):
        study(replicates=Adaptive((3, 5), trials=8))
    with pytest.raises(StudyError, match="there is one"):
        study(factors={"model.depth": (16,)})


def test_a_fresh_judgement_of_planned_looks_is_refused() -> None:
    with pytest.raises(StudyError, match="--fresh goes with a number of replicates"):
        check_fresh(study())
    check_fresh(study(replicates=5))


def test_a_run_that_would_end_in_a_fresh_judgement_of_looks_is_refused_before_it_trains() -> None:
    with pytest.raises(StudyError, match="planned looks"):
        drive(study(), Options(fresh=True), "http://127.0.0.1:9")
