"""Samplers: each proposal is a setting of the space, and a function of what is told alone."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import pytest

import paribus
from paribus import Choice, Float, Int
from paribus.engine.samplers.known import SAMPLERS, made
from paribus.engine.samplers.optuna_samplers import _MADE, ARGUMENTS
from paribus.engine.samplers.sampler import Proposal, Sampler, Told
from paribus.recipe import preset
from paribus.study import StudyError
from paribus.study.searches.space import Levels, Space

SPACE = Space(
    {
        "optimizer.lr": Float(1e-4, 1.0, log=True),
        "optimizer.kind": Choice("sgd", "adamw"),
        "optimizer.momentum": Float(0.0, 0.9, step=0.1, when={"optimizer.kind": "sgd"}),
        "data.batch_size": Int(16, 128, log=True),
    },
    preset("digits"),
)
NUMBERS = Space(
    {"optimizer.lr": Float(1e-4, 1.0, log=True), "optimizer.weight_decay": Float(0.0, 0.1)}, preset("digits")
)
SMALL = Space({"optimizer.kind": Choice("sgd", "adamw"), "data.batch_size": Choice(16, 32)}, preset("digits"))
# GP takes seconds a proposal and is tried once below.
QUICK = ("tpe", "cmaes", "nsga2", "nsga3", "random", "sobol")


def value_of(levels: Levels) -> float:
    rate = levels["optimizer.lr"]
    assert isinstance(rate, float)
    return -abs(math.log10(rate) + 2)


def walked(sampler: Sampler, number: int, *, fails_above: float = math.inf) -> list[Told]:
    """`number` proposals, each told of all before it."""
    told: list[Told] = []
    for index in range(number):
        found = sampler.propose(index, told)
        assert found is not None
        fails = float(found.levels["optimizer.lr"]) > fails_above  # type: ignore[arg-type]
        told.append(
            Told(
                number=index,
                levels=found.levels,
                state="failed" if fails else "finished",
                values=() if fails else (value_of(found.levels),),
                memory=found.memory,
            )
        )
    return told


@pytest.mark.parametrize("name", QUICK)
def test_a_sampler_made_anew_proposes_the_same_from_what_is_told(name: str) -> None:
    told = walked(made(name, SPACE, 1, 7), 24)
    assert [SPACE.fault(each.levels) for each in told] == [""] * 24
    for number in (0, 3, 12, 23):
        again = made(name, SPACE, 1, 7).propose(number, told[:number])
        assert again == Proposal(told[number].levels, told[number].memory)
    other = made(name, SPACE, 1, 8)
    assert any(
        (found := other.propose(number, told[:number])) is None or found.levels != told[number].levels
        for number in range(12, 24)
    ), "another seed draws otherwise"


@pytest.mark.parametrize(("name", "least"), [("tpe", 0.35), ("cmaes", 0.35)])
def test_a_sampler_that_learns_comes_nearer_than_chance(name: str, least: float) -> None:
    gains = []
    for seed in range(8):
        told = walked(made(name, NUMBERS, 1, seed), 40)
        late = sum(each.values[0] for each in told[-12:]) / 12
        chance = sum(each.values[0] for each in walked(made("random", NUMBERS, 1, seed), 40)) / 40
        gains.append(late - chance)
    assert sum(gains) / len(gains) > least


def test_gaussian_processes_propose_too() -> None:
    told = walked(made("gp(n_startup_trials=3)", NUMBERS, 1, 0), 5)
    assert [NUMBERS.fault(each.levels) for each in told] == [""] * 5


def test_tpe_learns_to_keep_away_from_what_does_not_train() -> None:
    """Told as Optuna's own failures, which it passes over, they would be unknown ground to which it comes back."""

    def late_failures(seed: int, passed_over: bool) -> int:
        sampler, told = made("tpe", NUMBERS, 1, seed), []
        for number in range(40):
            known = [each for each in told if each.state == "finished"] if passed_over else told
            found = sampler.propose(number, known)
            assert found is not None
            fails = float(found.levels["optimizer.lr"]) > 0.008  # type: ignore[arg-type]
            state, values = ("failed", ()) if fails else ("finished", (value_of(found.levels),))
            told.append(Told(number=number, levels=found.levels, state=state, values=values))  # type: ignore[arg-type]
        return sum(each.state == "failed" for each in told[-20:])

    passed_over, learnt = (sum(late_failures(seed, which) for seed in range(6)) for which in (True, False))
    assert learnt < 0.7 * passed_over, (learnt, passed_over)


def test_what_runs_is_not_proposed_again() -> None:
    """TPE's constant liar: trials under way count as bad ones where it would propose the next."""
    told = walked(made("tpe", NUMBERS, 1, 3), 20)
    alone = made("tpe", NUMBERS, 1, 3).propose(28, told)
    assert alone is not None
    running = [Told(number=20 + index, levels=alone.levels, state="running", seen={1: 0.5}) for index in range(8)]
    beside = made("tpe", NUMBERS, 1, 3).propose(28, [*told, *running])
    assert beside is not None
    assert alone.levels != beside.levels


def test_what_was_cut_is_told_with_what_was_seen_of_it() -> None:
    told = walked(made("tpe", NUMBERS, 1, 3), 20)
    cut = [Told(number=each.number, levels=each.levels, state="stopped", seen={1: each.values[0]}) for each in told]
    hardly = [Told(number=each.number, levels=each.levels, state="stopped", seen={1: -each.values[0]}) for each in told]
    first, second = (made("tpe", NUMBERS, 1, 3).propose(20, one) for one in (cut, hardly))
    assert first != second, "a sampler that learns nothing of censored trials proposes the same"


def test_a_broken_constraint_is_learnt_from() -> None:
    told = walked(made("tpe", NUMBERS, 1, 3), 20)
    bound = [
        Told(number=t.number, levels=t.levels, state=t.state, values=t.values, excess={"total_s": t.values[0] + 1})
        for t in told
    ]
    assert made("tpe", NUMBERS, 1, 3).propose(20, bound) != made("tpe", NUMBERS, 1, 3).propose(20, told)


@pytest.mark.parametrize("name", ["tpe", "gp(n_startup_trials=2)", "nsga2"])
def test_failures_beside_constraints_stop_no_sampler(name: str) -> None:
    told = [
        Told(number=0, levels={"optimizer.lr": 0.1, "optimizer.weight_decay": 0.01}, state="failed"),
        *(
            Told(
                number=number,
                levels={"optimizer.lr": 0.1 / number, "optimizer.weight_decay": 0.01},
                state="finished",
                values=(float(number),),
                excess={"total_s": float(number) - 2},
            )
            for number in (1, 2, 3)
        ),
    ]
    found = made(name, NUMBERS, 1, 0).propose(4, told)
    assert found is not None
    assert NUMBERS.fault(found.levels) == ""


def test_several_objectives_are_followed_together() -> None:
    sampler, told = made("tpe", NUMBERS, 2, 0), []
    for number in range(15):
        found = sampler.propose(number, told)
        assert found is not None
        decay = float(found.levels["optimizer.weight_decay"])  # type: ignore[arg-type]
        told.append(Told(number=number, levels=found.levels, state="finished", values=(value_of(found.levels), -decay)))
    with pytest.raises(StudyError, match="'cmaes' follows one objective"):
        made("cmaes", NUMBERS, 2, 0)


@pytest.mark.parametrize("name", ["grid", "brute_force"])
def test_a_countable_space_is_walked_through_once(name: str) -> None:
    sampler = made(name, SMALL, 1, 0)
    last = list(SMALL.every())[-1]
    told = [Told(number=0, levels=last, state="finished", values=(0.0,))]  # the baseline, say, which came first
    while (found := sampler.propose(len(told), told)) is not None:
        told.append(Told(number=len(told), levels=found.levels, state="running"))
    assert len(told) == 4
    assert {frozenset(each.levels.items()) for each in told} == {frozenset(levels.items()) for levels in SMALL.every()}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("tpee", "no sampler 'tpee': did you mean 'tpe'?"),
        ("tpe(startup=3)", "takes no argument 'startup'"),
        ("random(seed=3)", "takes no argument 'seed': it takes none"),
        ("nsga2(population_size=1)", "population_size"),
        ("grid", "whose values cannot be counted: give it a step"),
        ("auto", "needs the package optunahub, which is not installed: pip install optunahub"),
    ],
)
def test_a_sampler_that_cannot_be_is_refused_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(StudyError) as refused:
        made(text, NUMBERS, 1, 0)
    assert sentence in str(refused.value)


# What is left to Optuna, each None by default: functions, what is ours to give (past results), what it deprecates.
LEFT = {
    "tpe": {"gamma", "weights", "consider_prior", "prior_weight", "consider_magic_clip", "consider_endpoints"},
    "cmaes": {"x0", "sigma0", "independent_sampler", "source_trials", "restart_strategy"},
    "gp": {"independent_sampler"},
    "nsga2": {"mutation", "crossover"},
    "nsga3": {"mutation", "crossover", "reference_points"},
}
OF_ALL = {"seed", "constraints_func"}
GENETIC = {"elite_population_selection_strategy", "child_generation_strategy", "after_trial_strategy"}
# They change no proposal: the one only warns, the other is of a strategy that is none.
WITHOUT_EFFECT = {"warn_independent_sampling", "inc_popsize"}


@pytest.mark.parametrize("name", LEFT)
def test_every_argument_is_pinned_so_that_another_release_of_optuna_makes_no_other_search(name: str) -> None:
    takes = inspect.signature(_MADE[name]).parameters
    left = takes.keys() - ARGUMENTS[name].keys() - WITHOUT_EFFECT
    assert left - OF_ALL == LEFT[name] | (GENETIC if name.startswith("nsga") else set())
    assert {takes[each].default for each in left} == {None}
    assert ARGUMENTS[name].keys() <= takes.keys()


def test_every_sampler_is_held_to_the_contract_and_listed_for_whoever_searches() -> None:
    tried_below = {"gp", "auto", "grid", "brute_force"}
    missing = set(SAMPLERS) - set(QUICK) - tried_below
    assert not missing, f"{missing} are not in QUICK above, which holds the contract of samplers"
    page = Path(paribus.__file__).parent / "study" / "searches" / "README.md"
    unlisted = [name for name in SAMPLERS if f"`{name}`" not in page.read_text()]
    assert not unlisted, f"{unlisted} are not in the list of samplers in {page}"


def test_every_name_is_that_of_a_sampler() -> None:
    for name in SAMPLERS:
        if name != "auto":
            assert made(name, SMALL, 1, 0).propose(0, []) is not None
