"""What is said of the tuning of a study's arms: by how many trials each, above all where these differ."""

from __future__ import annotations

import pytest
from trial_records import digest

from paribus import Float, Study, Tuning
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import scheduler_of
from paribus.engine.searches.population import walk_of
from paribus.engine.searches.search_preview import SearchPreview
from paribus.engine.searches.tried import Tried
from paribus.engine.searches.tuning import ArmTuning
from paribus.report.searches.tuning_texts import budgets, budgets_text
from paribus.study.searches.arm_search import search_of
from paribus.study.settings import Settings

STUDY = Study(
    name="fair",
    factors={"model.width": (0.25, 0.5)},
    baseline={"model.width": 0.25},
    nuisance={"optimizer.lr": Float(0.01, 1.0, log=True)},
    tuning=Tuning(trials=6, sampler="random"),
    replicates=3,
)


def tuned(*numbers: int, lost: int = 0) -> list[ArmTuning]:
    """The arms by so many trials each, of which the first arm `lost` some without a result."""
    found = []
    for arm, number in zip(STUDY.arms, numbers, strict=True):
        search = search_of(STUDY, arm)
        tried = [
            Tried(
                number=at,
                levels={"optimizer.lr": 0.1 + at / 100},
                state="failed" if at < lost and not found else "finished",
                outcome="failed" if at < lost and not found else "finished",
                failure="node" if at < lost and not found else None,
                metrics={"top1": 90.0 + at},
            )
            for at in range(number)
        ]
        walk = walk_of(search, 1, sampler_of(search), scheduler_of("none"), tried)
        preview = SearchPreview(
            search=search, settings=Settings(), walk=walk, records={}, stale=(), notes=(), power=None, digest=digest
        )
        found.append(ArmTuning(arm=arm, preview=preview, best=walk.best()[0]))
    return found


def test_equal_budgets_are_said_with_their_number() -> None:
    assert budgets_text(tuned(6, 6)) == "tuned in each arm, with 6 trials in every one"
    assert budgets_text(tuned(3, 2)) == "tuned in each arm, with 6 trials in every one", "some of them are to come"


@pytest.mark.parametrize(("found", "numbers"), [((12, 6), (12, 6)), ((6, 9), (6, 9))])
def test_arms_that_were_tuned_by_unequal_numbers_are_named_with_them(
    found: tuple[int, int], numbers: tuple[int, int]
) -> None:
    """`Tuning.trials` lowered, or a driver stopped and the number raised between two arms."""
    arms = tuned(*found)
    assert tuple(budgets(arms).values()) == numbers
    text = budgets_text(arms)
    assert f"(k=0.25 by {numbers[0]}, k=0.5 by {numbers[1]}): the budgets are unequal" in text
    assert f"Tuning(trials={max(numbers)}) makes them equal" in text


def test_trials_lost_to_a_machine_are_no_budget() -> None:
    assert "k=0.25 by 4, k=0.5 by 6" in budgets_text(tuned(6, 6, lost=2))


def test_a_number_that_was_lowered_takes_nothing_back() -> None:
    text = budgets_text(tuned(9, 9))
    assert text.startswith("tuned in each arm, with 9 trials in every one, though Tuning(trials=6) asks for fewer now")
