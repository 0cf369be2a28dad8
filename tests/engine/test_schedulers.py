"""Schedulers against examples worked by hand, and what must hold of every one of them in any order of events."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from paribus import Float, Search
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import (
    SCHEDULERS,
    Asha,
    FullBudget,
    HyperBand,
    MedianStopping,
    Scheduler,
    SchedulerError,
    Standing,
    SuccessiveHalving,
    TopK,
    scheduler_of,
)
from paribus.engine.schedulers.known import written
from paribus.engine.searches.walk import Walk


def paused(scheduler: Scheduler, values: list[float], *, epochs: int, planned: int) -> Standing:
    """Trials 0, 1, ... that all came to their first rung."""
    standing = Standing(scheduler, epochs=epochs, planned=planned)
    for number, value in enumerate(values):
        standing.pause(number, standing.start(number), value)
    return standing


def test_asha_promotes_the_best_third_from_the_highest_rung_down() -> None:
    standing = paused(Asha(), [5, 9, 1, 7, 3], epochs=9, planned=27)
    assert standing.promote() == (1, 3), "of five one third is one: the best"
    assert standing.go_on(1) == 3
    assert standing.promote() is None, "a new trial starts"
    standing.pause(5, standing.start(5), 2)
    assert standing.promote() == (3, 3), "of six the second"
    standing.go_on(3)
    for number, value in ((6, 8.5), (7, 0), (8, 0)):
        standing.pause(number, standing.start(number), value)
    standing.pause(1, 3, 10)
    standing.pause(3, 3, 11)
    assert standing.promote() == (6, 3), "of nine the third; two at the next rung are too few for one of them to go on"
    standing.go_on(6)
    standing.pause(6, 3, 4)
    assert standing.promote() == (3, 9), "three at the second rung: its best, before anyone of the first"


def test_asha_cuts_whom_no_result_to_come_could_bring_back() -> None:
    standing = paused(Asha(), [9, 8, 7, 6], epochs=9, planned=9)
    assert standing.cut() == {3: "rung 1 of 3: 4th of 4, 9 at most, 3 go on"}
    standing.drop(3)
    assert standing.cut() == {}
    standing.pause(4, standing.start(4), 7.5)
    assert standing.cut() == {2: "rung 1 of 3: 4th of 5, 9 at most, 3 go on"}


def test_successive_halving_waits_for_all_and_then_takes_its_best() -> None:
    standing = paused(SuccessiveHalving(), [5, 9, 1, 7, 3], epochs=9, planned=6)
    assert standing.promote() is None
    standing.start(5)
    assert standing.promote() is None
    standing.end(5)
    assert standing.promote() == (1, 3)
    standing.go_on(1)
    assert standing.promote() == (3, 3)
    standing.go_on(3)
    assert sorted(standing.cut()) == [0, 2, 4]
    standing.pause(1, 3, 1)
    assert standing.promote() is None
    standing.pause(3, 3, 0)
    assert standing.promote() == (1, 9), "one of two goes on: at least one"


def test_halving_goes_on_where_those_that_should_have_gone_on_died() -> None:
    standing = paused(SuccessiveHalving(), [9, 8, 7, 6, 5, 4, 3, 2, 1], epochs=9, planned=9)
    for number in (0, 1, 2):
        standing.go_on(number)
    standing.pause(0, 3, 5)
    standing.end(1)
    standing.end(2)
    assert standing.promote() == (0, 9)


def test_hyperband_has_the_brackets_of_the_paper() -> None:
    paper = HyperBand(eta=3)
    assert paper.sizes(81) == (81, 34, 15, 8, 5), "Table 1"
    rungs = {paper.bracket_of(number, 81): paper.rungs_of(number, 81) for number in range(sum(paper.sizes(81)))}
    assert rungs == {0: (1, 3, 9, 27, 81), 1: (3, 9, 27, 81), 2: (9, 27, 81), 3: (27, 81), 4: (81,)}


def test_hyperband_deals_trials_to_its_brackets_in_proportion_and_then_begins_again() -> None:
    scheduler = HyperBand(eta=3)
    dealt = [scheduler.bracket_of(number, 12) for number in range(34)]
    assert scheduler.sizes(12) == (9, 5, 3)
    assert [dealt[:17].count(bracket) for bracket in (0, 1, 2)] == [9, 5, 3]
    assert [dealt[17:].count(bracket) for bracket in (3, 4, 5)] == [9, 5, 3]
    assert set(dealt[:6]) == {0, 1, 2}, "each bracket early"


def test_hyperband_says_which_brackets_a_search_does_not_fill() -> None:
    assert HyperBand().notes(12, 34) == ()
    (note,) = HyperBand().notes(9, 5)
    assert "brackets of 9, 5, 3 trials, and 5 trials fill those of its first set with 3 of 9, 1 of 5, 1 of 3" in note
    assert "17 trials would fill them" in note


def test_top_k_trains_the_best_k_of_all_to_the_end() -> None:
    standing = paused(TopK(k=2), [5, 9, 1], epochs=12, planned=4)
    assert standing.promote() is None
    assert standing.cut() == {2: "rung 1 of 2: 3rd of 3, 4 at most, 2 go on"}
    standing.pause(3, standing.start(3), 8)
    assert standing.promote() == (1, 12)
    standing.go_on(1)
    assert standing.promote() == (3, 12)
    assert TopK().keep(60) == 6


def test_median_stopping_stops_below_the_median_of_the_others_means() -> None:
    standing = Standing(MedianStopping(others=3), epochs=3, planned=9)
    for number, first in enumerate((1.0, 2.0, 3.0)):
        standing.pause(number, standing.start(number), first)
        assert standing.promote() == (number, 2), "too few others"
        standing.go_on(number)
    for number, second in enumerate((8.0, 4.0, 5.0)):
        standing.pause(number, 2, second)
        standing.go_on(number)
    standing.pause(3, standing.start(3), 1.9)
    assert standing.promote() is None
    assert standing.cut() == {3: "after epoch 1: its best so far is below the median of the means of 3 others"}
    standing.drop(3)
    standing.pause(4, standing.start(4), 2.0)
    assert standing.promote() == (4, 2), "the median of 1, 1.9, 2, 3 is 1.95"
    standing.go_on(4)
    standing.pause(4, 2, 3.9)
    assert 4 in standing.cut(), "means over two epochs are 4.5, 3 and 4"


def test_rungs_are_counted_down_from_the_whole_budget() -> None:
    assert Asha().rungs_of(0, 81) == (1, 3, 9, 27, 81)
    assert Asha().rungs_of(0, 12) == (1, 4, 12)
    assert Asha(eta=4, first=2).rungs_of(0, 100) == (6, 25, 100)
    assert Asha(eta=2).rungs_of(0, 3) == (2, 3)


def test_what_is_no_number_is_the_worst_and_never_goes_on() -> None:
    standing = paused(Asha(eta=2), [math.nan, -math.inf, math.nan, -math.inf], epochs=2, planned=9)
    assert standing.promote() is None
    assert set(standing.cut()) == {0, 1, 2, 3}
    assert standing.cut()[0] == "rung 1 of 2: its value is no number"


@pytest.mark.parametrize("scheduler", [Asha(), SuccessiveHalving()], ids=written)
def test_of_a_search_that_ends_after_two_trials_the_better_one_trains_to_its_end(scheduler: Scheduler) -> None:
    """One in three of two is none: a search whose budget ended early would have found nothing."""
    standing = Standing(scheduler, epochs=9, planned=2)
    for number, value in enumerate((1.0, 2.0)):
        assert standing.promote() is None
        standing.pause(number, standing.start(number), value)
    while (found := standing.promote()) is not None:
        number, epoch = found
        standing.go_on(number)
        standing.pause(number, epoch, float(number))
    assert (number, epoch) == (1, 9)
    assert list(standing.cut()) == [0]


def test_a_budget_that_is_spent_early_ends_a_search_with_one_that_trained_to_its_end() -> None:
    search = Search(
        name="s",
        space={"optimizer.lr": Float(0.01, 1.0, log=True)},
        fixed={"budget": "9 epochs"},
        sampler="random",
        scheduler="asha",
        trials=30,
        budget="1 minute",
        confirm=0,
        baseline={},
    )
    walk = Walk(search, sampler_of(search), Asha(), 9)
    gone_on = []
    while (found := walk.next()) != "over":
        if found is None:  # who goes on is decided anew, now that no more will come
            continue
        number, epoch = found.tried.number, found.until or 9
        gone_on.append((number, epoch))
        walk.seen(number, epoch, 50.0 + number)
        if epoch == 9:
            walk.ended(number, "finished", {"top1": 50.0 + number}, seconds=5.0)
        else:
            walk.paused(number, epoch, seconds=29.0)
        for each, reason in walk.hopeless().items():
            walk.cut(each, reason)
    assert gone_on == [(0, 1), (1, 1), (2, 1), (2, 3), (2, 9)], "87 of 60 seconds were spent on the first rung"
    assert [each.number for each in walk.best()] == [2]


def test_a_value_of_another_epoch_than_was_asked_for_is_refused() -> None:
    standing = Standing(Asha(), epochs=9, planned=9)
    standing.start(0)
    with pytest.raises(ValueError, match="trained towards epoch 1 and cannot have a value of 3"):
        standing.pause(0, 3, 1.0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Asha(eta=1), "scheduler 'asha': eta = 1 should be a whole number, 2 or more"),
        (lambda: Asha(first=1.5), "first = 1.5 should be a whole number, 1 or more"),
        (lambda: HyperBand(eta="3"), "eta = '3' should be a whole number"),
        (lambda: TopK(k=0), "k = 0 should be a whole number, 1 or more"),
        (lambda: MedianStopping(others=True), "others = True should be a whole number"),
        (lambda: scheduler_of("ash"), "no scheduler 'ash'"),
        (lambda: scheduler_of("asha", factor=3), "scheduler 'asha' takes no 'factor': it takes eta, first"),
        (lambda: scheduler_of("asha(eta='3')"), "eta = '3' should be a whole number"),
        (lambda: scheduler_of(3), "scheduler = 3: give a name"),
        (lambda: Asha().check(12, 8), "of 8 trials none would train all 12 epochs: ask for 9"),
        (lambda: Asha().check(1, 9), "trials of 1 epochs have no rung between"),
        (lambda: HyperBand(first=5).check(9, 9), "no rung between first = 5 and the end"),
        (lambda: TopK(after=12).check(12, 9), "after = 12 of 12 epochs leaves nothing to save"),
        (lambda: TopK(k=9).check(12, 9), "k = 9 of 9 trials go on, which is all"),
        (lambda: MedianStopping(first=3).check(3, 9), "first = 3 of 3 epochs"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(SchedulerError) as refused:
        make()
    assert sentence in str(refused.value)


def test_a_scheduler_is_found_by_name_and_written_as_text_that_makes_it_again() -> None:
    for name, made in SCHEDULERS.items():
        scheduler = scheduler_of(name)
        assert isinstance(scheduler, made)
        assert scheduler_of(written(scheduler)) == scheduler
    assert scheduler_of("asha(eta=4, first=2)") == scheduler_of("asha", eta=4, first=2) == Asha(eta=4, first=2)
    assert written(TopK()) == "top_k(k=None, after=1)"


ALL = [FullBudget(), Asha(), Asha(eta=2, first=2), SuccessiveHalving(), HyperBand(), TopK(k=3), MedianStopping()]


class Driven:
    """A search with random values, failures and workers, driven as an engine drives it."""

    def __init__(self, scheduler: Scheduler, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.scheduler, self.planned = scheduler, int(self.rng.integers(9, 60))
        self.standing = Standing(scheduler, epochs=12, planned=self.planned)
        self.seen: dict[int, dict[int, float]] = {}
        self.running: dict[int, int] = {}
        self.dead: set[int] = set()
        self.cut: dict[int, str] = {}
        self.promotions: list[tuple[int, int]] = []

    def run(self) -> None:
        workers = int(self.rng.integers(1, 9))
        while self.fill(workers):
            self.finish_one()

    def fill(self, workers: int) -> bool:
        while len(self.running) < workers:
            if (found := self.standing.promote()) is not None:
                number, epoch = found
                assert self.standing.go_on(number) == epoch
                assert number not in self.dead
                assert number not in self.cut
                self.promotions.append(found)
            elif len(self.seen) < self.planned:
                number = len(self.seen)
                self.seen[number], epoch = {}, self.standing.start(number)
            else:
                break
            self.running[number] = epoch
        return bool(self.running)

    def finish_one(self) -> None:
        number = int(self.rng.choice(list(self.running)))
        epoch = self.running.pop(number)
        if self.rng.random() < 0.1:
            self.dead.add(number)
            self.standing.end(number)
        else:
            value = float(self.rng.choice([self.rng.integers(5), self.rng.normal(), math.nan], p=[0.5, 0.45, 0.05]))
            self.seen[number][epoch] = value
            self.standing.pause(number, epoch, value)
        for each, reason in self.standing.cut().items():
            self.cut[each] = reason
            self.standing.drop(each)

    def read_again(self) -> Standing:
        return Standing.of(
            self.scheduler,
            epochs=12,
            planned=self.planned,
            seen=self.seen,
            running=self.running,
            dead=self.dead,
            cut=self.cut,
        )


@pytest.mark.parametrize("scheduler", ALL, ids=written)
def test_every_search_ends_with_each_trial_whole_dead_or_cut_once(scheduler: Scheduler) -> None:
    for seed in range(40):
        search = Driven(scheduler, seed)
        search.run()
        assert len(search.seen) == search.planned
        assert len(set(search.promotions)) == len(search.promotions), "nobody is promoted twice to one rung"
        whole = {number for number, values in search.seen.items() if 12 in values}
        assert len(whole) + len(search.dead) + len(search.cut) == search.planned
        assert whole | search.dead | set(search.cut) == set(range(search.planned)), "none is left paused"


@pytest.mark.parametrize("scheduler", [Asha(), Asha(eta=2, first=2), SuccessiveHalving()], ids=written)
def test_whom_halving_promotes_is_among_the_best_of_its_rung(scheduler: Scheduler) -> None:
    for seed in range(20):
        search = Driven(scheduler, seed)
        promote = search.standing.promote

        def checked() -> tuple[int, int] | None:
            found = promote()  # noqa: B023 (of this search)
            if found is not None:
                bracket = search.standing._bracket(found[0])  # noqa: B023
                rung = bracket.rungs.index(found[1]) - 1
                better = [v for v, number in bracket.arrived[rung] if (v, number) < bracket.place(found[0], rung)]
                assert len(better) < max(1, len(bracket.arrived[rung]) // scheduler.eta)  # type: ignore[attr-defined]
            return found

        search.standing.promote = checked  # type: ignore[method-assign]
        search.run()
        assert search.promotions


@pytest.mark.parametrize("scheduler", ALL, ids=written)
def test_a_driver_that_reads_the_ledger_decides_as_the_one_that_was_killed(scheduler: Scheduler) -> None:
    for seed in range(10):
        search = Driven(scheduler, seed)
        while search.fill(4):
            search.finish_one()
            again = search.read_again()
            assert again.promote() == search.standing.promote()
            assert again.cut() == search.standing.cut()
