"""Trials of a search that are smaller at first: by a share of the data or by resolution, each trained anew."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from walked import Walker

from paribus import Choice, Float, Search
from paribus.engine.options import Options
from paribus.engine.samplers.known import sampler_of
from paribus.engine.searches.ladder import Ladder
from paribus.engine.searches.population import walk_of
from paribus.engine.searches.search_preview import make_search_preview, scheduled
from paribus.engine.searches.suggestions import suggestions
from paribus.engine.searches.tried import Go
from paribus.engine.simulation.curves import read_curves
from paribus.engine.simulation.simulated_search import simulate_search
from paribus.recipe import RecipeError
from paribus.report.searches.search_texts import search_plan_text
from paribus.study.designs.arms import StudyError
from paribus.study.searches.search_document import read_search, write_search
from paribus.study.searches.space import Levels
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import ServerProcess

SHARE = "data.train_fraction"
SHARES = {SHARE: (0.1, 0.3, 1.0)}


def search(**fields: Any) -> Search:
    given = {"trials": 10, "sampler": "random", "fidelity": SHARES, "confirm": 0, **fields}
    space = {"optimizer.lr": Float(1e-3, 1.0, log=True), "optimizer.nesterov": Choice(True, False)}
    return Search(**{"name": "ladder", "space": space, "fixed": {"budget": "3 epochs"}, **given})


def ladder(made: Search) -> Ladder:
    scheduler, epochs = scheduled(made)
    walk = walk_of(made, epochs, sampler_of(made), scheduler, [])
    assert isinstance(walk, Ladder)
    return walk


def top1(levels: Levels) -> float:
    """Best at a rate of 0.03, and better with more data."""
    rate, share = levels["optimizer.lr"], levels[SHARE]
    assert isinstance(rate, float)
    assert isinstance(share, float)
    return 80 - 10 * abs(math.log10(rate / 0.03)) + 10 * share


def to_the_end(walk: Ladder, most: int = 1000, ends: Callable[[Levels], float | str] = top1) -> list[tuple[int, Any]]:
    """Walk on, two trials at a time of which the later ends first; (number, share) of each."""
    steps: list[tuple[int, Any]] = []
    running: list[int] = []
    while len(steps) < most or running:
        go = walk.next() if len(steps) < most and len(running) < 2 else None
        if isinstance(go, Go):
            assert go.until == 0, "each is trained to its end"
            running.append(go.tried.number)
            steps.append((go.tried.number, go.tried.levels[SHARE]))
            continue
        if not running:
            break
        number = running.pop()
        found = ends(walk.tried[number].levels)
        if isinstance(found, str):
            walk.ended(number, found, {}, reason="made so")  # type: ignore[arg-type]
        else:
            walk.ended(number, "finished", {"top1": found, "total_s": 1.0})
    return steps


def test_of_each_rung_the_best_are_trained_anew_at_the_next_and_whole_ones_alone_are_judged() -> None:
    walk = ladder(search())
    assert walk.sizes == (10, 3, 1), "one of the ten is the baseline, and one in three of the others goes on"
    steps = to_the_end(walk)
    assert walk.next() == "over"
    assert [share for _, share in steps] == [1.0, *[0.1] * 9, *[0.3] * 3, 1.0]
    first, second = ([walk.tried[number] for number in range(*span)] for span in ((1, 10), (10, 13)))
    best = sorted(first, key=lambda each: -each.metrics["top1"])
    assert [each.levels["optimizer.lr"] for each in second] == [each.levels["optimizer.lr"] for each in best[:3]]
    assert walk.tried[13].levels == {**best[0].levels, SHARE: 1.0}
    assert {each.number for each in walk.ranked()} == {0, 13}
    assert [number for number, _ in walk.history()] == [0, 13]
    recipes = [walk.search.recipe_of(walk.tried[number].levels) for number in (1, 10, 13)]
    assert [recipe.data.train_fraction for recipe in recipes] == [0.1, 0.3, 1.0]
    assert len({walk.search.seeds_of(number).order for number in walk.tried}) == 14, "no seed is drawn twice"
    assert walk.is_over


def test_who_goes_on_does_not_depend_on_who_came_first_and_a_restored_walk_decides_the_same() -> None:
    undisturbed = ladder(search())
    steps = to_the_end(undisturbed)
    for moment in (1, 4, 9, 10, 11, 13):
        before, after = ladder(search()), ladder(search())
        begun = to_the_end(before, most=moment)
        known = list(before.tried.values())
        # One was on its way when the driver was killed.
        known[-1] = replace(known[-1], state="interrupted", outcome=None, metrics={})
        after.restore(reversed(known))
        rest = to_the_end(after)
        assert rest[0] == begun[-1], moment
        assert begun + rest[1:] == steps, moment
        levels = {number: each.levels for number, each in undisturbed.tried.items()}
        assert {number: each.levels for number, each in after.tried.items()} == levels


def test_what_does_not_train_goes_no_further_and_rungs_shrink() -> None:
    def ends(levels: Levels) -> float | str:
        return top1(levels) if levels[SHARE] == 1.0 or top1(levels) > 78 else "diverged"

    walk = ladder(search())
    to_the_end(walk, ends=ends)
    trained = [n for n in range(1, 10) if walk.tried[n].state == "finished"]
    assert 0 < len(trained) < 3
    assert [number for number in walk.tried if number >= 10] == [*range(10, 10 + len(trained)), 13]
    nobody = ladder(search(baseline={}))
    to_the_end(nobody, ends=lambda levels: "diverged")
    assert nobody.next() == "over"
    assert len(nobody.tried) == 10
    assert nobody.best() == []


def test_a_sampler_learns_from_the_first_rung_and_is_asked_for_the_space_alone() -> None:
    walk = ladder(search(sampler="tpe(n_startup_trials=4)", trials=24))
    to_the_end(walk)
    first = [walk.tried[number].levels for number in range(1, 24)]
    assert all(list(levels) == ["optimizer.lr", "optimizer.nesterov", SHARE] for levels in first)
    far = [abs(math.log10(float(levels["optimizer.lr"]) / 0.03)) for levels in first]  # type: ignore[arg-type]
    assert sum(far[-10:]) < sum(far[:10]), "it has come nearer"


def test_a_lost_trial_is_trained_again_unless_others_were_chosen_without_it() -> None:
    walk = ladder(search())
    to_the_end(walk)
    lost = replace(walk.tried[3], state="interrupted", outcome="failed", metrics={})
    early, late = ladder(search()), ladder(search())
    early.restore([each for each in walk.tried.values() if 0 < each.number < 10 and each.number != 3] + [lost])
    late.restore([each for each in walk.tried.values() if each.number != 3] + [lost])
    go = early.next()
    assert isinstance(go, Go)
    assert go.tried.number == 3
    assert late.next() == "over"
    assert late.tried[3].state == "failed"


def test_the_plan_says_what_is_trained_at_which_size(tmp_path: Path) -> None:
    made = search(confirm=3, margin=20.0, trials=28)
    preview = make_search_preview(made, tmp_path, [], lambda own: {}, Options())
    text = search_plan_text(preview)
    assert "28 settings by random, 40 trials, scheduler successive_halving" in text
    assert (
        "data.train_fraction: 27 at 0.1, then the best 9 at 0.3, then the best 3 at 1, each trained anew from its "
        "start; the baseline is trained whole at once"
    ) in text
    assert preview.as_dict()["fidelity"] == SHARES
    assert "is trained" not in search_plan_text(
        make_search_preview(replace(made, fidelity={}), tmp_path, [], lambda own: {}, Options())
    )
    to_the_end(walk := ladder(made), most=28)
    assert suggestions(walk, 1)[0].why == "among the best at data.train_fraction = 0.1, and trained anew at 0.3"
    best = [levels for levels in (each.levels for each in walk.best()) if levels]
    assert all(SHARE not in arm.as_dict() for arm in made.confirmation(best).arms), "whole in every arm"


def test_a_search_without_fidelity_is_the_search_that_it_was_and_one_with_it_is_read_as_it_was_written() -> None:
    plain, with_shares = search(fidelity={}, scheduler="none"), search()
    assert "train_fraction" not in plain.settled.partition('"space"')[2]
    assert plain.seeds_of(3) == replace(plain, fidelity={}).seeds_of(3) != with_shares.seeds_of(3)
    again = read_search(write_search(with_shares))
    assert (again.rungs, again.settled) == (with_shares.rungs, with_shares.settled)
    sizes = search(fidelity={"data.size": (6, 8)}, fixed={"data.size": 8}, scheduler="top_k(k=2)")
    assert ladder(sizes).sizes == (10, 2)
    assert read_search(write_search(sizes)).rungs == ("data.size", (6, 8))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"fidelity": {"data.size": (6, 8)}}, "the last value is a whole trial's, and the base recipe has data.size"),
        ({"fidelity": {SHARE: (1.0,)}}, "one field and two values or more"),
        ({"fidelity": {SHARE: (0.1, 0.1, 1.0)}}, "each once"),
        ({"fidelity": "epochs"}, "fidelity = 'epochs': one field and its values"),
        ({"fidelity": {"data.shard": (1, 2)}}, "a recipe of this search has no such field"),
        ({"baseline": {SHARE: 0.3}}, "leave it out of space and baseline"),
        ({"scheduler": "asha"}, "go on by rank when all are there"),
        ({"scheduler": "hyperband"}, "go on by rank when all are there"),
        ({"scheduler": "pbt"}, "each trial is trained anew"),
        ({"start": ({"optimizer.lr": 0.1, "optimizer.nesterov": True},)}, "leave start out"),
        ({"budget": "2 hours"}, "leave budget, against and constraints out"),
        ({"trials": 3}, "so that some rung cuts none: ask for more trials"),
        ({"scheduler": "top_k(k=2)", "trials": 30}, "so that some rung cuts none"),
        ({"space": {"optimizer.nesterov": Choice(True, False)}}, "the space has 2 settings"),
        (
            {"fixed": {"model.family": "inception_v3", "data.size": 8}, "fidelity": {"data.size": (4, 8)}},
            "an input of 4 pixels is too small for Inception-v3-small: its minimum is 7",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_the_plan(fields: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with pytest.raises((StudyError, RecipeError)) as refused:
        make_search_preview(search(**fields), tmp_path, [], lambda own: {}, Options())
    assert sentence in str(refused.value)


def test_a_table_of_whole_trials_has_nothing_to_simulate_it_by() -> None:
    table = str(Path(__file__).parents[2] / "tables" / "digits_curves.parquet")
    whole = search(fixed={"budget": "12 epochs"})
    with pytest.raises(StudyError, match="leave fidelity out"):
        simulate_search(whole, read_curves(table, "top1"), workers=2)


@pytest.mark.cluster
def test_a_driver_that_is_gone_in_the_middle_of_a_rung_goes_on_from_the_ledger(
    shelf_server: ServerProcess, tmp_path: Path
) -> None:
    walker = Walker(shelf_server.uri, tmp_path)
    for most in (5, 11, 100):
        walker.walk(search(name="ladder_broken"), top1, most=most)
    walker.walk(search(name="ladder_whole"), top1)
    with Ledger(shelf_server.uri) as ledger:
        broken, whole = (
            {each.replicate: (each.trial_id, each.metrics["top1"]) for each in ledger.trials(name)}
            for name in ("ladder_broken", "ladder_whole")
        )
    assert broken == whole
    assert len(whole) == 14
