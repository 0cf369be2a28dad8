"""A search as it goes, without Ray: what comes next, what a restored walk does, and how it ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from trial_records import ended

from paribus import Choice, Float, Search
from paribus.engine.options import Options
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import scheduler_of
from paribus.engine.searches.search_preview import make_search_preview
from paribus.engine.searches.search_records import tried_of
from paribus.engine.searches.suggestions import no_more, suggestions
from paribus.engine.searches.tried import Go, Tried
from paribus.engine.searches.walk import Walk
from paribus.report.searches.search_report import search_report
from paribus.report.searches.search_texts import found_text
from paribus.study import StudyError
from paribus.study.searches.space import Levels
from paribus.study.words import FailureClass, Outcome

RATE = {"optimizer.lr": Float(1e-3, 1.0, log=True), "optimizer.weight_decay": Float(1e-5, 1e-2, log=True)}
EPOCHS = 9
Value = Callable[[Levels, int], float | None]


LEARNS = {"sampler": "tpe", "scheduler": "none"}


def search(**fields: Any) -> Search:
    return Search(**{"name": "rate", "space": RATE, "trials": 27, "fixed": {"budget": "9 epochs"}, **LEARNS, **fields})


def walk_of(made: Search) -> Walk:
    scheduler = scheduler_of(made.scheduler)
    return Walk(made, sampler_of(made), scheduler, 1 if scheduler.name == "none" else EPOCHS)


def top1(levels: Levels, epoch: int) -> float:
    """Best at a rate of 0.03, and better with every epoch."""
    rate = levels["optimizer.lr"]
    assert isinstance(rate, float)
    return 90 - 10 * abs(math.log10(rate / 0.03)) - 20 / epoch


def train(walk: Walk, go: Go, value: Value = top1) -> None:
    """What a worker and the driver's callback would say of a step; None: it diverges there."""
    number = go.tried.number
    last = go.until or EPOCHS
    for epoch in range(max(go.tried.seen, default=0) + 1, last + 1):
        found = value(go.tried.levels, epoch)
        if found is None:
            walk.ended(number, "diverged", {}, seconds=1.0, reason=f"at epoch {epoch}")
            return
        walk.seen(number, epoch, found)
    if go.until:
        walk.paused(number, go.until, seconds=1.0)
    else:
        walk.ended(number, "finished", {"top1": walk.tried[number].seen[EPOCHS], "total_s": 3.0}, seconds=1.0)


def to_the_end(walk: Walk, value: Value = top1, most: int = 10_000) -> list[tuple[int, int]]:
    """Walk on one by one, cutting what is hopeless; (number, until) of each step."""
    steps = []
    for _ in range(most):
        go = walk.next()
        if not isinstance(go, Go):
            assert go == "over", "nothing runs, so there is nothing to wait for"
            break
        steps.append((go.tried.number, go.until))
        train(walk, go, value)
        cut(walk)
    cut(walk)
    return steps


def cut(walk: Walk) -> None:
    for number, reason in walk.hopeless().items():
        walk.cut(number, reason)


@pytest.mark.parametrize(
    "scheduler", ["none", "asha(eta=3)", "top_k(k=3)", "successive_halving", "hyperband", "median"]
)
def test_every_trial_ends_as_something_and_the_best_were_trained_whole(scheduler: str) -> None:
    walk = walk_of(search(scheduler=scheduler))
    to_the_end(walk)
    states = {each.state for each in walk.tried.values()}
    assert states <= {"finished", "stopped"}
    assert len(walk.tried) == 27
    assert ("stopped" in states) == (scheduler != "none")
    assert all(each.reason for each in walk.tried.values() if each.state == "stopped")
    best = walk.best()
    assert len(best) == 3
    assert [each.metrics["top1"] for each in best] == sorted(each.metrics["top1"] for each in walk.ranked()[:3])[::-1]
    assert walk.next() == "over"


@pytest.mark.parametrize("scheduler", ["none", "asha(eta=3)", "hyperband", "top_k"])
def test_a_walk_that_is_restored_at_any_moment_decides_as_the_undisturbed_one(scheduler: str) -> None:
    made = search(scheduler=scheduler)
    whole = walk_of(made)
    undisturbed = to_the_end(whole)
    for moment in range(1, len(undisturbed), 7):
        before = walk_of(made)
        steps = to_the_end(before, most=moment)
        after = walk_of(made)
        # What the ledger has of it: whoever was cut is told so at the end alone, hence still waits.
        after.restore([_as_recorded(each) for each in before.tried.values()])
        cut(after)
        assert steps + to_the_end(after) == undisturbed, moment
        assert {n: (t.state, t.metrics) for n, t in after.tried.items()} == {
            n: (t.state, t.metrics) for n, t in whole.tried.items()
        }


def _as_recorded(each: Tried) -> Tried:
    return replace(each, state="paused", outcome=None, reason="") if each.state == "stopped" else each


def test_a_trial_cut_off_on_its_way_goes_on_before_any_other_begins() -> None:
    made = search(scheduler="asha(eta=3)")
    walk = walk_of(made)
    to_the_end(walk, most=5)
    again = walk_of(made)
    seen = {1: 50.0, 2: 60.0}
    again.restore([*walk.tried.values(), Tried(number=5, levels=made.first[0], state="interrupted", seen=seen)])
    go = again.next()
    assert isinstance(go, Go)
    assert (go.tried.number, go.until, go.is_new) == (5, 3, False)


def test_a_number_that_a_killed_driver_had_only_proposed_is_proposed_again() -> None:
    made = search(sampler="random")
    walk = walk_of(made)
    to_the_end(walk, most=6)
    again = walk_of(made)
    again.restore([each for number, each in walk.tried.items() if number != 3])
    go = again.next()
    assert isinstance(go, Go)
    assert (go.tried.number, go.tried.levels, go.is_new) == (3, walk.tried[3].levels, True)


def test_the_baseline_is_trained_to_its_end_whatever_the_scheduler_says() -> None:
    bad = {"optimizer.lr": 0.9, "optimizer.weight_decay": 1e-3}
    made = search(scheduler="asha(eta=3)", baseline=bad)
    walk = walk_of(made)
    to_the_end(walk)
    assert walk.tried[0].levels == bad
    assert walk.tried[0].state == "finished"
    assert bad not in [dict(each.levels) for each in walk.best()]
    other = walk_of(search(scheduler="asha(eta=3)", start=(bad,), confirm=0))
    to_the_end(other)
    assert other.tried[1].state == "stopped", "nothing else is spared"


def test_what_diverges_is_no_best_and_goes_no_further() -> None:
    walk = walk_of(search(scheduler="asha(eta=3)"))
    to_the_end(walk, lambda levels, epoch: None if float(levels["optimizer.lr"]) > 0.02 else top1(levels, epoch))  # type: ignore[arg-type]
    failed = [each for each in walk.tried.values() if each.state == "failed"]
    assert failed
    assert all(each.outcome == "diverged" for each in failed)
    assert all(float(each.levels["optimizer.lr"]) <= 0.02 for each in walk.best())  # type: ignore[arg-type]


def test_where_all_diverge_the_walk_ends_with_nothing() -> None:
    for scheduler in ("none", "asha(eta=3)", "top_k"):
        walk = walk_of(search(scheduler=scheduler))
        assert len(to_the_end(walk, lambda levels, epoch: None)) == 27
        assert walk.best() == []


def test_a_value_that_is_no_number_hangs_nothing() -> None:
    walk = walk_of(search(scheduler="asha(eta=3)"))
    to_the_end(walk, lambda levels, epoch: math.nan if epoch == 1 else top1(levels, epoch))
    assert {each.state for each in walk.tried.values() if each.number} == {"stopped"}


def test_a_space_that_ends_before_the_trials_do_is_walked_through_and_judged() -> None:
    small = {"optimizer.lr": Choice(0.01, 0.03, 0.1, 0.3), "optimizer.weight_decay": Choice(1e-4, 1e-3)}
    walk = walk_of(search(space=small, sampler="grid", scheduler="asha(eta=3)", baseline=_last(small)))
    to_the_end(walk)
    assert walk.planned == 8
    assert "no further setting" in walk.ended_by
    assert any(each.state == "finished" for each in walk.tried.values())
    assert not any(each.state == "paused" for each in walk.tried.values())


def _last(space: dict[str, Choice]) -> dict[str, Any]:
    return {path: choice.options[-1] for path, choice in space.items()}


def test_a_budget_ends_the_proposals_and_lets_what_began_be_judged() -> None:
    walk = walk_of(search(scheduler="asha(eta=3)", budget="0.25 minutes"))
    to_the_end(walk)
    assert 10 <= len(walk.tried) <= 15, "a step takes a second of the fifteen"
    assert "the budget of 0.25 minutes is spent" in walk.ended_by
    assert {each.state for each in walk.tried.values()} == {"finished", "stopped"}


def test_a_budget_too_small_for_one_trial_is_spent_by_the_first() -> None:
    walk = walk_of(search(budget="0.001 minutes"))
    assert to_the_end(walk) == [(0, 0)]
    assert walk.planned == 1
    assert walk.ended_by == "the budget of 0.001 minutes is spent"
    assert [each.number for each in walk.ranked()] == [0]


def test_where_nothing_keeps_the_constraints_nothing_is_best_and_it_is_said_which(tmp_path: Path) -> None:
    made = search(trials=4, constraints=("total_s < 1",), sampler="random")
    walk = walk_of(made)
    to_the_end(walk)
    assert {each.state for each in walk.tried.values()} == {"finished"}
    assert walk.ranked() == walk.best() == []
    preview = replace(make_search_preview(made, tmp_path, [], lambda own: {}, Options()), walk=walk)
    told = found_text(search_report(preview))
    assert "nothing found: none of 4 that were trained to their end keeps total_s < 1" in told


def test_settings_that_do_not_fit_each_other_are_passed_over_and_no_space_of_them_is_walked_for_ever() -> None:
    sizes = {"data.size": Choice(8, 32), "augment.cutout": Choice(4, 16), "optimizer.lr": Float(1e-3, 1.0, log=True)}
    made = search(space=sizes, sampler="random", confirm=0, holdout=0)
    walk = walk_of(made)
    to_the_end(walk)
    misfits = [each for each in walk.tried.values() if each.state == "failed"]
    assert misfits
    assert all("wider than the input" in each.reason for each in misfits)
    assert all((each.levels["data.size"], each.levels["augment.cutout"]) == (8, 16) for each in misfits)
    never = search(
        space={"data.size": Choice(8), "augment.cutout": Choice(4, 16)},
        sampler="random",
        confirm=0,
        holdout=0,
        trials=900,
    )
    stuck = walk_of(never)
    stuck.sampler = _Only({"data.size": 8, "augment.cutout": 16})  # type: ignore[assignment]
    with pytest.raises(StudyError, match="200 settings in a row cannot be trained"):
        to_the_end(stuck)


def test_what_does_not_fit_is_passed_over_again_and_nothing_that_has_a_result_is_trained_again() -> None:
    """Misfits are in no ledger: a driver that comes after begins at the gaps that they left."""
    space = {"model.shortcut_scale": Choice(1.0, 0.5), "augment.cutout": Choice(4, 16), "data.size": Choice(8, 32)}
    for scheduler in ("none", "asha(eta=3)"):
        made = search(space={**RATE, **space}, sampler="random", scheduler=scheduler, confirm=0, holdout=0, trials=40)
        walk = walk_of(made)
        to_the_end(walk)
        known = [_as_recorded(each) for each in walk.tried.values() if each.outcome is not None]
        assert len(known) < 40, "none was a misfit"
        again = walk_of(made)
        again.restore(known)
        cut(again)
        before = {each.number: each.levels for each in known}
        for number, _ in to_the_end(again):
            assert number not in before
        assert all(again.tried[number].levels == levels for number, levels in before.items())
        assert again.is_over
        assert walk.is_over


def test_a_walk_that_ended_by_its_space_or_with_failures_is_over_for_whoever_reads_it() -> None:
    small = {"optimizer.lr": Choice(0.01, 0.03), "optimizer.weight_decay": Choice(1e-4, 1e-3)}
    made = search(space=small, sampler="grid", confirm=0)
    walk = walk_of(made)
    to_the_end(walk, lambda levels, epoch: None if levels["optimizer.lr"] == 0.01 else top1(levels, epoch))
    read = walk_of(made)
    read.restore(walk.tried.values())
    assert len(read.tried) == 4
    assert read.is_over


def test_a_baseline_on_its_way_past_a_rung_is_not_taken_for_one_that_waits_there() -> None:
    made = search(scheduler="top_k", trials=12)
    walk = walk_of(made)
    walk.restore([Tried(number=0, levels=made.first[0], state="paused", seen={1: 1.0})])
    go = walk.next()
    assert isinstance(go, Go)
    assert (go.tried.number, go.until) == (0, 0)
    train(walk, go)
    to_the_end(walk)
    assert walk.tried[0].state == "finished"


def test_a_trial_that_does_not_report_what_is_asked_for_is_no_result() -> None:
    made = search(against=("flops",), constraints=("num_params < 1e6",), scheduler="none")
    walk = walk_of(made)
    go = walk.next()
    assert isinstance(go, Go)
    walk.ended(go.tried.number, "finished", {"top1": 90.0, "num_params": 1e5})
    assert walk.tried[0].state == "failed"
    assert walk.tried[0].reason == "it does not report flops"
    again = walk_of(made)
    again.restore([Tried(number=0, levels=made.first[0], state="finished", outcome="finished", metrics={"top1": 90.0})])
    assert again.tried[0].reason == "it does not report flops, num_params"
    assert again.best() == []


# What nothing stops is not stopped, and what comes to its end under ASHA has come through its rungs.
ENDS = [
    *((outcome, None, "none") for outcome in get_args(Outcome) if outcome != "stopped"),
    *(("failed", failure, "none") for failure in get_args(FailureClass)),
    *((outcome, None, "asha(eta=3)") for outcome in get_args(Outcome) if outcome != "finished"),
    *(("failed", failure, "asha(eta=3)") for failure in get_args(FailureClass)),
]


@pytest.mark.parametrize(("outcome", "failure", "scheduler"), ENDS)
def test_a_sampler_is_told_the_same_of_an_end_in_the_run_that_saw_it_and_in_the_next(
    outcome: Outcome, failure: FailureClass | None, scheduler: str
) -> None:
    made = search(scheduler=scheduler)
    walk = walk_of(made)
    to_the_end(walk, most=1)
    go = walk.next()
    assert isinstance(go, Go)
    number, curve = go.tried.number, {1: 50.0}
    walk.seen(number, 1, 50.0)
    metrics = {"top1": 70.0} if outcome == "finished" else {}
    if outcome == "stopped":
        walk.paused(number, 1)
        walk.cut(number, "its rung")
    else:
        walk.ended(number, outcome, metrics, failure=failure)
    record = ended(
        made.arm_of(go.tried.levels), number + 1, outcome=outcome, failure=failure, metrics=metrics, run_id="run"
    )
    for again in (True, False):
        after = walk_of(made)
        known = tried_of({number: record}, {"run": curve}, after.scheduler, after.epochs, again=again)
        after.restore([walk.tried[0], *known])
        assert after.told() == walk.told(), (again, after.told()[1].state, walk.told()[1].state)
    lost = outcome == "failed" and failure != "oom"
    assert walk.told()[number].state == {"finished": "finished", "stopped": "stopped"}.get(
        outcome, "running" if lost else "failed"
    )
    again_at = walk_of(made)
    again_at.restore([walk.tried[0], *tried_of({number: record}, {"run": curve}, walk.scheduler, walk.epochs)])
    first = again_at.next()
    assert isinstance(first, Go)
    assert (first.tried.number == number) == lost, "what has no result through no fault of its setting is trained again"


class _Only:
    """A sampler that has one idea."""

    def __init__(self, levels: dict[str, Any]) -> None:
        self.levels = levels

    def propose(self, number: int, told: object) -> Any:
        from paribus.engine.samplers.sampler import Proposal

        return Proposal(self.levels)


def test_constraints_and_several_objectives_decide_what_is_best() -> None:
    made = search(against=("total_s",), constraints=("top1 > 60",), trials=12, sampler="random", top=4)
    walk = walk_of(made)
    while isinstance(go := walk.next(), Go):
        value = top1(go.tried.levels, EPOCHS)
        slow = float(go.tried.levels["optimizer.weight_decay"]) * 1e4  # type: ignore[arg-type]
        walk.ended(go.tried.number, "finished", {"top1": value, "total_s": slow})
    front = walk.front()

    def both(each: Tried) -> tuple[float, float]:
        return each.metrics["top1"], each.metrics["total_s"]

    values = [both(each) for each in front]
    assert all(each > 60 for each, _ in values)
    for one in walk.ranked():
        beaten = any(
            top >= one.metrics["top1"]
            and slow <= one.metrics["total_s"]
            and (top, slow) != (one.metrics["top1"], one.metrics["total_s"])
            for top, slow in values
        )
        assert beaten != (one in front)
    assert walk.best()[: len(front)] == front[:4]


def test_no_setting_is_confirmed_twice() -> None:
    made = search(space={"optimizer.lr": Choice(0.01, 0.03, 0.1)}, trials=12, sampler="random", scheduler="none")
    walk = walk_of(made)
    to_the_end(walk)
    assert {each.levels["optimizer.lr"] for each in walk.best()} == {0.01, 0.03}, "the baseline's 0.1 is there anyway"


def test_suggestions_say_what_would_come_next_and_why() -> None:
    made = search(scheduler="asha(eta=3)")
    walk = walk_of(made)
    to_the_end(walk, most=4)
    found = suggestions(walk, 3)
    assert len(found) == 3
    assert any("lets it go on" in each.why or "proposes it" in each.why for each in found)
    fresh = suggestions(walk_of(made), 2)
    assert fresh[0].why == "the baseline comes first"
    assert fresh[1].why == "tpe proposes it, told of 0 trials that ended and 1 under way"
    waits = walk_of(search(trials=3, **LEARNS))
    assert [each.number for each in suggestions(waits, 5)] == [0, 1, 2]
    assert no_more(waits) == "what comes next depends on what becomes of the 3 under way"
    over = walk_of(search(trials=3, **LEARNS))
    to_the_end(over)
    assert suggestions(over, 5) == []
    assert no_more(over) == "all 3 settings were tried"
