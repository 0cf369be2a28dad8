"""A study without replicates is planned with the spread of the nearest study in the ledger, which is named."""

from __future__ import annotations

from statistics import stdev
from typing import Any

import pytest
from shelf import Shelf
from trial_records import record_of

from paribus.commands.study.study_verbs import planned
from paribus.engine.nearest import nearest_spread
from paribus.engine.options import Options
from paribus.execution.workers.trial_spec import params_of
from paribus.study import Study
from paribus.study.plan import trials
from paribus.tracking.trials.record import TrialRecord

WIDTHS = {"factors": {"model.width": (0.25, 0.5)}, "baseline": {"model.width": 0.25}}
STUDY = Study(name="asks", base="synthetic", replicates=5, margin=4.0, **WIDTHS)
# How an arm's top-1 goes over four replicates.
STEADY, RISING, WILD = (0, 0, 0, 0), (0, 1, 2, 3), (0, 9, 1, 8)


def told(study: Study, *values: tuple[float, ...], **fields: Any) -> list[TrialRecord]:
    """Finished trials of a study, arm by arm, as many replicates as there are values."""
    rows = dict(zip(study.arms, values, strict=True))
    drawn = [trial for trial in trials(study, lambda recipe: "data") if trial.replicate <= len(rows[trial.arm])]
    return [
        record_of(
            trial,
            study=study.name,
            parent=f"run of {study.name}",
            params=params_of(trial),
            seeds=trial.seeds.model_dump(),
            metrics={"top1": float(rows[trial.arm][trial.replicate - 1])},
            **fields,
        )
        for trial in drawn
    ]


def like(name: str, **fields: Any) -> Study:
    return STUDY.vary(name=name, **fields)


def test_members_of_a_population_are_no_replicates_of_each_other() -> None:
    """They share what they were before, and the settings they ended at are not all that they were trained at."""
    members = told(like("near"), (5, 6, 7, 8), (5, 7, 9, 11), lineage={"parent": 3, "trial": "x", "epochs": 2})
    assert nearest_spread(STUDY, members) is None


def test_the_study_whose_recipe_differs_least_gives_the_spread_of_its_paired_differences() -> None:
    far = told(like("far", fixed={"optimizer.lr": 0.2, "budget.amount": 9.0}), STEADY, WILD)
    near = told(like("near", fixed={"budget.amount": 9.0}), (5, 6, 7, 8), (5, 7, 9, 11))
    found = nearest_spread(STUDY, [*far, *near])
    assert found is not None
    sd, source = found
    assert sd == pytest.approx(stdev(RISING))
    assert source == (
        "the median over 1 contrasts of near in the ledger, which differs in budget.amount, until this study has "
        "replicates"
    )


def test_another_family_is_farther_than_many_fields() -> None:
    fields = {"optimizer.lr": 0.2, "budget.amount": 9.0, "optimizer.momentum": 0.5, "training.label_smoothing": 0.1}
    same = told(like("same", fixed=fields), STEADY, RISING)
    other = Study(name="other", base="synthetic", factors={"model.depth": (14, 20)}, fixed={"model": "ResNet-20"})
    found = nearest_spread(STUDY, [*told(other, STEADY, WILD), *same])
    assert found is not None
    assert "of same in the ledger, which differs in" in found[1]
    assert found[1].count(",") == 4, "three fields by name"
    assert "and 1 more" in found[1]


def test_an_arm_alone_gives_the_spread_of_two_unpaired_runs() -> None:
    alone = like("alone")
    found = nearest_spread(STUDY, told(alone, RISING, ()))
    assert found == (
        pytest.approx(stdev(RISING) * 2**0.5),
        "two unpaired runs of alone in the ledger, which has the same recipe, until this study has replicates",
    )


@pytest.mark.parametrize(
    "records",
    [
        [],
        told(like("few"), (1, 2), (3, 9)),
        told(like("same"), STEADY, STEADY),
        told(like("dead"), RISING, WILD, outcome="dead"),
        told(Study(name="digits", **WIDTHS), RISING, WILD),
    ],
    ids=["none", "two replicates", "no spread", "failed to train", "other data"],
)
def test_what_is_not_near_or_tells_no_spread_is_passed_over(records: list[TrialRecord]) -> None:
    assert nearest_spread(STUDY, records) is None


@pytest.mark.cluster
def test_a_plan_asks_the_ledger_and_says_whose_spread_it_is(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARIBUS_HOME", str(shelf.home))
    other = STUDY.vary(name="nearest-other", fixed={"optimizer.lr": 0.07})
    asks = STUDY.vary(name="nearest-asks", fixed={"optimizer.lr": 0.07})
    level = dict(zip(other.arms, (0.0, 7.0), strict=True))
    shelf.fill(other, lambda trial: 50.0 + level[trial.arm] * trial.replicate)
    before = planned(asks, Options(ledger=shelf.uri))
    assert before.data["sd"] == pytest.approx(7 * 2.5**0.5)
    assert "the median over 1 contrasts of nearest-other in the ledger, which has the same recipe" in str(before)
    shelf.fill(asks, lambda trial: 50.0 + 2 * level[trial.arm] * trial.replicate if trial.replicate < 4 else None)
    own = planned(asks, Options(ledger=shelf.uri))
    assert own.data["sd"] == pytest.approx(14.0)
    assert own.data["sd_source"] == "the median over 1 contrasts in the ledger"
