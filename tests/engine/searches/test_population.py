"""Population based training without Ray: who is replaced, near which settings, and what a restored population does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from populations import EPOCHS, PBT, RATE, by_rate, cut, population, recorded, search, steps, train

from paribus import Choice, Float, Int
from paribus.engine.options import Options
from paribus.engine.schedulers import Pbt, SchedulerError, scheduler_of
from paribus.engine.schedulers.perturbing import draw_of, perturbed, stepped
from paribus.engine.searches.search_preview import make_search_preview, tried_row
from paribus.engine.searches.search_records import own_records, trial_of, tried_of
from paribus.engine.searches.suggestions import suggestions
from paribus.engine.searches.tried import Go, Tried
from paribus.recipe import preset
from paribus.shards.catalog import data_digest
from paribus.study import StudyError
from paribus.study.searches.space import Levels, Space
from paribus.study.settings import settings_of


def test_the_worst_go_on_from_the_best_and_the_others_from_themselves() -> None:
    scheduler = Pbt(quantile=0.34)
    values = {0: 5.0, 1: 9.0, 2: 1.0, 3: 7.0, 4: 3.0, 5: 2.0}
    donors = [scheduler.donor(member, values, 6, lambda name: 0.0) for member in range(6)]
    assert donors == [0, 1, 1, 3, 4, 1], "a third of six are two: 2 and 5 take the first of 1 and 3"
    assert scheduler.donor(2, values, 6, lambda name: 0.99) == 3, "or the second"
    without = {member: value for member, value in values.items() if member not in (1, 4)}
    donors = [scheduler.donor(member, without, 6, lambda name: 0.0) for member in range(6)]
    assert donors == [0, 3, 2, 3, 3, 5], "those that did not train are the worst, and are never copied"
    broken = {0: math.nan, 1: -math.inf, 2: 1.0}
    assert [scheduler.donor(member, broken, 6, lambda name: 0.99) for member in range(6)] == [0, 1, 2, 2, 2, 2]
    assert {scheduler.donor(member, {4: math.nan}, 6, lambda name: 0.5) for member in range(6)} == {4}


@pytest.mark.parametrize(
    ("domain", "level", "below", "above"),
    [
        (Float(0.001, 1.0, log=True), 0.1, 0.08, 0.12),
        (Float(0.001, 1.0), 0.9, 0.72, 1.0),
        (Float(0.09, 1.0), 0.1, 0.09, 0.12),
        (Float(0.0, 0.5, step=0.1), 0.2, 0.1, 0.3),
        (Float(0.0, 0.5, step=0.1), 0.5, 0.4, 0.5),
        (Int(1, 64), 2, 1, 3),
        (Int(1, 64), 50, 40, 60),
        (Int(10, 64, step=2), 10, 10, 12),
        (Choice("a", "b", "c"), "b", "a", "c"),
        (Choice("a", "b", "c"), "c", "b", "b"),
        (Choice(True, False), True, False, False),
        (Choice(32), 32, 32, 32),
    ],
)
def test_a_step_is_a_fifth_and_stays_in_the_domain(domain: Any, level: Any, below: Any, above: Any) -> None:
    assert (stepped(domain, level, is_down=True), stepped(domain, level, is_down=False)) == (below, above)
    assert type(stepped(domain, level, is_down=True)) is type(level)


def test_what_is_perturbed_is_a_setting_of_the_space_and_always_the_same_one() -> None:
    space = Space(
        {
            "optimizer.kind": Choice("sgd", "adamw"),
            "optimizer.lr": Float(1e-3, 1.0, log=True),
            "optimizer.momentum": Float(0.0, 0.9, when={"optimizer.kind": "sgd"}),
        },
        preset("digits"),
    )
    levels: Levels = {"optimizer.kind": "sgd", "optimizer.lr": 0.1, "optimizer.momentum": 0.0}
    found = [perturbed(levels, space, 0.25, draw_of(0, number)) for number in range(200)]
    assert not [fault for each in found if (fault := space.fault(each))]
    assert found == [perturbed(levels, space, 0.25, draw_of(0, number)) for number in range(200)]
    rates = [each["optimizer.lr"] for each in found]
    near = sum(rate in (0.08, 0.12) for rate in rates)
    assert 130 <= near <= 170, "three in four take a step"
    assert abs(rates.count(0.08) - rates.count(0.12)) < 40
    momenta = [each["optimizer.momentum"] for each in found if "optimizer.momentum" in each]
    assert 10 < len(momenta) < 60, "a choice of two goes to the other one, or is drawn"
    assert 0.0 not in momenta, "by steps zero would stay zero"
    assert all(perturbed(levels, space, 0.0, draw_of(1, n))["optimizer.lr"] in (0.08, 0.12) for n in range(20))


def test_a_choice_that_is_false_or_zero_takes_steps_like_any_other() -> None:
    space = Space({"optimizer.nesterov": Choice(True, False), "augment.cutout": Choice(0, 2, 4)}, preset("digits"))
    found = [
        perturbed({"optimizer.nesterov": False, "augment.cutout": 0}, space, 0.0, draw_of(number))
        for number in range(9)
    ]
    assert found == [{"optimizer.nesterov": True, "augment.cutout": 2}] * 9


def test_each_generation_is_trained_from_the_one_before_and_the_last_to_its_end() -> None:
    walk = population(search())
    taken = list(steps(walk))
    assert [number for number, _, _ in taken] == [*range(18)]
    assert walk.next() == "over"
    assert walk.is_over
    assert [parent for number, parent, _ in taken if number < 6] == [None] * 6
    for number, parent, levels in taken[6:]:
        assert parent is not None
        assert walk.generation_of(parent) == walk.generation_of(number) - 1
        own = parent == number - 6
        assert (levels == walk.tried[parent].levels) == own, "who is copied is perturbed, who goes on is not"
    for generation in (0, 1):
        values = {n: walk.tried[n].seen[3 * generation + 3] for n in range(6 * generation, 6 * generation + 6)}
        order = sorted(values, key=lambda number: -values[number])
        moved = {number: parent for number, parent, _ in taken if walk.generation_of(number) == generation + 1}
        assert {number - 6 for number, parent in moved.items() if parent != number - 6} == set(order[-2:])
        assert {moved[number + 6] for number in order[-2:]} <= set(order[:2])
    assert {each.state for number, each in walk.tried.items() if number < 12} == {"stopped"}
    assert {each.state for number, each in walk.tried.items() if number >= 12} == {"finished"}
    best = walk.best()[0]
    assert best.number >= 12
    line = walk.line_of(best.number)
    assert [walk.generation_of(each.number) for each in line] == [0, 1, 2]
    assert [each.number for each in line[:-1]] == [each.parent for each in line[1:]]


def test_a_trial_says_what_became_of_it() -> None:
    walk = population(search())
    list(steps(walk))
    order = sorted(range(6), key=lambda number: -walk.tried[number].seen[3])
    for rank, number in enumerate(order):
        children = [child for child in range(6, 12) if walk.tried[child].parent == number]
        reason = walk.tried[number].reason
        assert reason.startswith(f"generation 1 of 3: {('1st', '2nd', '3rd', '4th', '5th', '6th')[rank]} of 6; ")
        assert all(f"#{child}" in reason for child in children)
        assert ("nobody goes on from it" in reason) == (not children)
    assert not [each for each in order[-2:] if "nobody" not in walk.tried[each].reason]


def test_a_population_that_is_restored_after_any_event_decides_as_the_undisturbed_one() -> None:
    made = search()

    def some_diverge(number: int, levels: Levels, epoch: int) -> float | None:
        return None if number in (2, 9) and epoch > 4 - number // 6 else by_rate(number, levels, epoch)

    for value in (by_rate, some_diverge):
        whole = list(steps(population(made), value))
        for moment in range(len(whole) + 1):
            before = population(made)
            taken = [step for _, step in zip(range(moment), steps(before, value), strict=False)]
            # Who was stopped is told so at the end alone, hence waits with its checkpoint for whoever reads.
            known = [_as_recorded(each) for each in before.tried.values()]
            after = population(made, known)
            cut(after)
            assert taken + list(steps(after, value)) == whole, moment
            assert after.is_over


def _as_recorded(each: Tried) -> Tried:
    return replace(each, state="paused", outcome=None, reason="") if each.state == "stopped" else each


def test_a_generation_waits_for_its_slowest_whoever_comes_first() -> None:
    made = search()
    undisturbed = list(steps(population(made)))
    walk = population(made)
    running = [walk.next() for _ in range(6)]
    assert walk.next() is None, "five more workers have nothing to do"
    for go in reversed(running):
        assert walk.hopeless() == {}, "others go on from these"
        assert isinstance(go, Go)
        train(walk, go)
    second = walk.next()
    assert isinstance(second, Go)
    assert (second.tried.number, second.tried.parent, second.tried.levels) == undisturbed[6]
    assert (second.until, second.is_new) == (6, True)
    assert walk.hopeless() == {}, "a checkpoint stays until no trial can need it"


def test_what_failed_is_tried_again_until_others_have_gone_on_without_it() -> None:
    made = search()
    walk = population(made)
    for _ in range(6):
        go = walk.next()
        assert isinstance(go, Go)
        if go.tried.number == 4:
            walk.ended(4, "failed", {}, reason="node: lost")
        else:
            train(walk, go)
    failed = replace(walk.tried[4], state="interrupted")  # as a driver that is to try again reads it
    others = [each for each in walk.tried.values() if each.number != 4]
    again = population(made, [*others, failed])
    go = again.next()
    assert isinstance(go, Go)
    assert (go.tried.number, go.until, go.is_new) == (4, 3, False)
    gone_on = walk.next()
    assert isinstance(gone_on, Go)
    later = population(made, [*others, failed, replace(gone_on.tried, state="interrupted")])
    go = later.next()
    assert isinstance(go, Go)
    assert go.tried.number == 6
    assert later.tried[4].state == "failed"


def test_the_checkpoint_that_a_failed_trial_began_with_is_kept_for_another_try() -> None:
    walk = population(search())
    while isinstance(go := walk.next(), Go):
        if go.tried.number == 13:
            walk.ended(13, "failed", {}, reason="oom")
        else:
            train(walk, go)
        cut(walk)
    parent = walk.tried[13].parent
    assert [number for number, each in walk.tried.items() if each.state == "paused"] == [parent]


def test_where_no_member_trains_the_population_ends_and_says_so() -> None:
    walk = population(search())
    assert len(list(steps(walk, lambda number, levels, epoch: None if number > 5 else 1.0))) == 12
    assert walk.next() == "over"
    assert walk.ended_by == "no member came to the end of generation 2 of 3"
    assert walk.best() == []


def test_a_value_that_is_no_number_hangs_nothing_and_is_copied_by_nobody() -> None:
    walk = population(search())
    list(steps(walk, lambda number, levels, epoch: math.nan if number == 0 else by_rate(number, levels, epoch)))
    assert walk.next() == "over"
    assert walk.children(0) == []


def test_settings_that_fit_no_recipe_are_no_members_and_none_is_perturbed_into_one() -> None:
    sizes = {"data.size": Choice(8, 32), "augment.cutout": Choice(4, 16), "optimizer.lr": Float(1e-3, 1.0, log=True)}
    walk = population(search(space=sizes, sampler="random", trials=16, holdout=0, baseline={}))
    list(steps(walk))
    failed = [number for number, each in walk.tried.items() if each.state == "failed"]
    assert failed
    assert max(failed) < 16, "in the first generation alone"
    assert {each.state for number, each in walk.tried.items() if number >= 32} == {"finished"}


def test_the_records_alone_tell_the_lineage_and_the_population_goes_on_from_them() -> None:
    made = search()
    walk = population(made)
    whole = list(steps(walk))
    records = recorded(made, walk.tried, "data")
    curves = {f"run-{number}": each.seen for number, each in walk.tried.items()}
    own = own_records(made, reversed(records), lambda recipe: "data")
    assert sorted(own) == [*range(18)]
    read = tried_of(own, curves, scheduler_of(PBT), EPOCHS)
    assert {each.number: each.parent for each in read} == {number: parent for number, parent, _ in whole}
    assert {each.state for each in read if each.number < 12} == {"paused"}
    assert [row["goes_on_from"] for row in (tried_row(each, made) for each in read)] == [p for _, p, _ in whole]
    half = {number: record for number, record in own.items() if number < 8}
    again = population(made, tried_of(half, curves, scheduler_of(PBT), EPOCHS))
    assert list(steps(again)) == whole[8:]


def test_a_trial_that_has_only_said_where_it_goes_on_from_is_not_at_its_end() -> None:
    made = search()
    walk = population(made)
    list(steps(walk))
    own = own_records(made, recorded(made, walk.tried, "data"), lambda recipe: "data")
    curves = {"run-5": {1: 1.0, 2: 1.0, 3: 1.0}, "run-7": {3: 1.0}, "run-8": {3: 1.0, 4: 1.0}}
    states = {each.number: each.state for each in tried_of(own, curves, scheduler_of(PBT), EPOCHS)}
    assert (states[5], states[7], states[8]) == ("paused", "interrupted", "interrupted")


def test_a_trials_id_tells_where_it_comes_from_and_no_study_has_it() -> None:
    made = search()
    levels: Levels = {"optimizer.lr": 0.1, "optimizer.nesterov": True}
    ids = {trial_of(made, 7, levels, lambda recipe: "data", parent).id for parent in ("", "a", "b")}
    assert len(ids) == 3
    other = search(trials=7)
    assert trial_of(made, 0, levels, lambda recipe: "data").id != trial_of(other, 0, levels, lambda recipe: "data").id
    assert settings_of(made) != settings_of(other), "another number of members is another population"
    walk = population(made)
    list(steps(walk))
    records = recorded(made, walk.tried, "data")
    orphaned = [record for record in records if record.replicate != 1]
    known = own_records(made, orphaned, lambda recipe: "data")
    descends = {number for number in walk.tried if walk.line_of(number)[0].number == 0}
    assert set(known) == set(walk.tried) - descends, "without its first ancestor none of a line is the search's own"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"sampler": "tpe"}, "'tpe' learns from results"),
        ({"confirm": 5}, "a study trains one setting from its start, so nothing of it can be confirmed"),
        ({"budget": "30 minutes"}, "trains all of its generations or nothing to its end"),
        ({"start": [{"optimizer.lr": 0.01 * n, "optimizer.nesterov": True} for n in range(1, 7)]}, "name 7 settings"),
        ({"trials": 2}, "quantile = 0.34 of 2 members is less than one"),
        ({"scheduler": "pbt(interval=4)"}, "interval = 4 does not cut 9 epochs into generations"),
        ({"scheduler": "pbt(interval=9)"}, "two at least: take 1, 3"),
        ({"fixed": {"budget": "40 steps"}}, "decides after whole epochs"),
        ({"space": {**RATE, "model.width": Choice(0.25, 0.5)}}, "'model.width' is searched"),
        ({"space": {**RATE, "model.norm": Choice("batch", "none")}}, "'model.norm' is searched"),
        ({"space": {**RATE, "data.batch_size": Choice(16, 32)}}, "would not fit (an epoch is 70 steps or 35 steps)"),
        ({"space": {**RATE, "optimizer.kind": Choice("sgd", "adamw")}}, "'optimizer.kind' is searched"),
        ({"space": {**RATE, "optimizer.momentum": Float(0.0, 0.9)}}, "'optimizer.momentum' is searched"),
        ({"space": {**RATE, "optimizer.decay_norms_and_biases": Choice(True, False)}}, "decay_norms_and_biases'"),
        ({"space": {**RATE, "training.ema_decay": Choice(None, 0.9)}}, "(the average of the weights is none or kept)"),
        ({"space": {"optimizer.lr": Choice(0.1, 0.2)}, "sampler": "grid"}, "2 settings, and the population 6 members"),
    ],
)
def test_what_a_population_cannot_do_is_refused_before_anything_is_trained(
    tmp_path: Path, fields: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(StudyError) as refused:
        make_search_preview(search(**fields), tmp_path, [], lambda own: {}, Options())
    assert sentence in str(refused.value)


def test_members_from_which_others_have_gone_on_are_not_trained_again(tmp_path: Path) -> None:
    made = search(space={"optimizer.lr": RATE["optimizer.lr"]})
    walk = population(made)
    list(steps(walk))
    records = recorded(made, walk.tried, data_digest(made.base_recipe, tmp_path))  # of code that is not here
    stale = make_search_preview(made, tmp_path, records, lambda own: {}, Options())
    assert len(stale.stale) == 18
    with pytest.raises(StudyError, match=r"have gone on from the 18 trials of other code\. Give"):
        make_search_preview(made, tmp_path, records, lambda own: {}, Options(redo=True))


def test_fields_that_leave_a_checkpoint_its_form_can_be_searched(tmp_path: Path) -> None:
    fits = {
        "optimizer.weight_decay": Float(1e-5, 1e-2, log=True),
        "optimizer.momentum": Float(0.5, 0.99),
        "training.label_smoothing": Float(0.0, 0.2),
        "training.ema_decay": Float(0.9, 0.999),
        "model.shortcut_scale": Float(0.1, 1.0),
        "augment.cutout": Int(0, 4),
    }
    preview = make_search_preview(search(space={**RATE, **fits}), tmp_path, [], lambda own: {}, Options())
    assert preview.walk.planned == 18


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Pbt(interval=0), "interval = 0 should be a whole number, 1 or more"),
        (lambda: Pbt(quantile=0.6), "quantile = 0.6 should be a number above 0 and at most 0.5"),
        (lambda: Pbt(quantile="0.2"), "quantile = '0.2' should be a number"),
        (lambda: Pbt(resample=2), "resample = 2 should be a number from 0 to 1"),
        (lambda: scheduler_of("pbt(mutation=3)"), "takes no 'mutation': it takes interval, quantile, resample"),
        (lambda: Pbt(interval=1).check(1, 8), "two at least: train longer"),
    ],
)
def test_arguments_that_cannot_be_are_refused_in_a_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(SchedulerError) as refused:
        make()
    assert sentence in str(refused.value)


def test_suggestions_say_from_whom_a_trial_would_go_on() -> None:
    made = search()
    walk = population(made)
    for _ in zip(range(6), steps(walk), strict=False):
        pass
    found = suggestions(walk, 6)
    assert [each.number for each in found] == [*range(6, 12)]
    for each in found:
        parent = walk.tried[each.number].parent
        own = parent == each.number - 6
        assert each.why == f"generation 2 goes on from #{parent}, {'as it is' if own else 'perturbed'}"
    assert suggestions(population(made), 2)[1].why.startswith("sobol proposes it")
