"""Which trials a study is made of, and what is left to do for each: the same command twice is safe."""

from dataclasses import replace
from itertools import product
from typing import Any, get_args

import pytest

from paribus import Recipe, Study
from paribus.recipe import Seeds, trial_id
from paribus.study.plan import Action, Known, Plan, Trial, make_plan, trials
from paribus.study.words import Outcome

FACTORS = {"model.depth": (16, 40), "model.residual_scale": (0.1, 1.0)}


def digest(recipe: Recipe) -> str:
    return f"digest of {recipe.data.name} {recipe.data.train_fraction}"


def study(**fields: Any) -> Study:
    return Study(**{"name": "test", "factors": FACTORS, "replicates": 3, **fields})


def plan(known: dict[str, Known] | None, made: Study | None = None, **options: Any) -> Plan:
    made = made or study()
    return make_plan(made, trials(made, digest), known, **{"code": lambda recipe: "new", **options})


def test_trials_are_replicate_major() -> None:
    made = study()
    drawn = trials(made, digest)
    assert [(trial.replicate, trial.arm) for trial in drawn] == list(product((1, 2, 3), made.arms))
    assert drawn[4].name == "depth=16 · residual_scale=0.1 · r2"


def test_a_replicate_has_the_same_seeds_in_every_arm_and_no_others() -> None:
    by_replicate: dict[int, set[Seeds]] = {}
    for trial in trials(study(seed=5), digest):
        by_replicate.setdefault(trial.replicate, set()).add(trial.seeds)
    assert by_replicate == {replicate: {Seeds.draw(5, replicate)} for replicate in (1, 2, 3)}


def test_a_trials_name_is_the_hash_of_what_it_trains() -> None:
    for trial in trials(study(), digest):
        assert trial.id == trial_id(trial.recipe, trial.seeds, digest(trial.recipe))
        assert trial.recipe == study().recipe_of(trial.arm)
    drawn = trials(study(), digest)
    assert len({trial.id for trial in drawn}) == len(drawn) == 12


def test_more_replicates_keep_the_trials_that_exist() -> None:
    few, many = trials(study(replicates=3), digest), trials(study(replicates=5), digest)
    assert many[: len(few)] == few
    assert {trial.replicate for trial in many[len(few) :]} == {4, 5}


def test_more_levels_keep_the_trials_that_exist() -> None:
    few = {trial.id for trial in trials(study(), digest)}
    many = {trial.id for trial in trials(study(factors={**FACTORS, "model.depth": (16, 28, 40)}), digest)}
    assert few < many
    assert len(many) == 18


@pytest.mark.parametrize(
    "fields", [{"name": "other"}, {"margin": 1.0}, {"alpha": 0.1}, {"metric": "top5"}, {"fixed": {"resources.cpus": 2}}]
)
def test_what_bears_on_no_result_keeps_the_trials(fields: dict[str, Any]) -> None:
    assert [t.id for t in trials(study(**fields), digest)] == [t.id for t in trials(study(), digest)]


@pytest.mark.parametrize("fields", [{"seed": 1}, {"base": "synthetic"}, {"fixed": {"optimizer.lr": 0.2}}])
def test_what_bears_on_results_changes_every_trial(fields: dict[str, Any]) -> None:
    assert not {t.id for t in trials(study(**fields), digest)} & {t.id for t in trials(study(), digest)}


def test_the_digest_is_asked_once_for_each_data_part_and_each_arm_has_its_own() -> None:
    asked = []

    def counted(recipe: Recipe) -> str:
        asked.append(recipe.data.train_fraction)
        return digest(recipe)

    made = study(factors={"data.train_fraction": (0.5, 1.0), "model.depth": (16, 40)}, replicates=4)
    drawn = trials(made, counted)
    assert sorted(asked) == [0.5, 1.0]
    assert drawn[0].id == trial_id(drawn[0].recipe, drawn[0].seeds, "digest of digits 0.5")


# outcome, made by the same code: what is done about it as it is, and with accept_code
STATES: list[tuple[Outcome | None, bool, Action, Action]] = [
    ("finished", True, "skip", "skip"),
    ("diverged", True, "skip", "skip"),
    ("dead", True, "skip", "skip"),
    ("stuck", True, "skip", "skip"),
    ("stopped", True, "skip", "skip"),
    ("failed", True, "retry", "retry"),
    (None, True, "resume", "resume"),
    ("finished", False, "stale", "skip"),
    ("diverged", False, "stale", "skip"),
    ("dead", False, "stale", "skip"),
    ("stuck", False, "stale", "skip"),
    ("stopped", False, "stale", "skip"),
    ("failed", False, "retry", "retry"),
    (None, False, "resume", "resume"),
]


def known_as(outcome: Outcome | None, same: bool, attempt: int = 1) -> dict[str, Known]:
    record = Known(outcome=outcome, code="new" if same else "old", attempt=attempt, run_id="run")
    return {trial.id: record for trial in trials(study(), digest)[:1]}


def test_the_table_has_every_outcome() -> None:
    assert {(outcome, same) for outcome, same, *_ in STATES} == set(product((*get_args(Outcome), None), (True, False)))


@pytest.mark.parametrize(("outcome", "same", "action", "accepted"), STATES)
def test_what_is_done_for_each_state_of_the_ledger(
    outcome: Outcome | None, same: bool, action: Action, accepted: Action
) -> None:
    known = known_as(outcome, same, attempt=2)
    made = plan(known)
    assert made.steps[0].action == action
    assert (made.steps[0].attempt, made.steps[0].run_id) == (3, "run")
    assert (made.steps[0] in made.todo) is (action in ("retry", "resume"))
    assert plan(known, accept_code=True).steps[0].action == accepted
    assert plan(known, redo=True).steps[0].action == ("retry" if action == "stale" else action)
    assert {step.action for step in made.steps[1:]} == {"start"}


def test_the_queue_shuffles_whole_replicates_by_a_hash_that_no_run_changes() -> None:
    # Seen on two nodes: in one order for all, every trial of an arm came to one of them.
    two = study(factors={"model.depth": (16, 40)}, replicates=200)
    queue = plan({}, two).queue
    assert [step.trial.replicate for step in queue] == sorted(2 * [*range(1, 201)])
    firsts = [step.trial.arm for step in queue[::2]].count(two.arms[0])
    assert 74 <= firsts <= 126  # of 200 fair coins, but for one in 5,000
    assert queue == plan({}, two).queue
    assert {step.trial.id for step in queue} == {step.trial.id for step in plan({}, two).steps}
    # What is left of a study keeps its order; another name or seed has another.
    done = {s.trial.id: Known(outcome="finished", code="new", attempt=1) for s in queue[:151]}
    assert [s.trial.id for s in plan(done, two).queue] == [s.trial.id for s in queue[151:]]
    for other in (replace(two, name="other"), replace(two, seed=1)):
        assert [s.trial.arm for s in plan({}, other).queue] != [s.trial.arm for s in queue]
    swapped = replace(two, factors={"model.depth": (40, 16)}, baseline={"model.depth": 16})
    assert [s.trial.id for s in plan({}, swapped).queue] == [s.trial.id for s in queue]


def test_an_empty_ledger_starts_everything() -> None:
    made = plan({})
    assert made.counts() == {"start": 12}
    assert len(made.todo) == 12
    assert {(step.attempt, step.run_id) for step in made.steps} == {(1, "")}


def test_a_ledger_that_could_not_be_asked_leaves_the_runs_unknown() -> None:
    made = plan(None)
    assert made.counts() == {"start": 12}
    assert {step.run_id for step in made.steps} == {None}


def test_a_complete_ledger_leaves_nothing_to_do_and_two_more_replicates_start_alone() -> None:
    done = {t.id: Known(outcome="finished", code="new", attempt=1, run_id=t.id) for t in trials(study(), digest)}
    assert plan(done).counts() == {"skip": 12}
    assert plan(done).todo == ()
    longer = plan(done, study(replicates=5))
    assert longer.counts() == {"skip": 12, "start": 8}
    assert {step.trial.replicate for step in longer.todo} == {4, 5}


def test_only_some_actions() -> None:
    drawn = trials(study(), digest)
    known = {
        drawn[0].id: Known(outcome="failed", code="new", attempt=1),
        drawn[1].id: Known(outcome=None, code="new", attempt=1),
        drawn[2].id: Known(outcome="finished", code="old", attempt=1),
        "another study's": Known(outcome="failed", code="new", attempt=1),
    }
    assert plan(known).counts() == {"retry": 1, "resume": 1, "stale": 1, "start": 9}
    made = plan(known, only=frozenset[Action]({"retry"}))
    assert made.counts() == {"retry": 1, "leave": 11}
    assert [step.trial for step in made.todo] == [drawn[0]]
    assert plan(known, redo=True, only=frozenset[Action]({"retry"})).counts() == {"retry": 2, "leave": 10}


def test_a_plan_keeps_the_order_of_the_trials() -> None:
    known = known_as("failed", True)
    made = plan(known)
    assert [step.trial for step in made.steps] == list(trials(study(), digest))
    assert isinstance(made.steps[0].trial, Trial)
    assert made.study == study()
