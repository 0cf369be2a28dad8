"""A search that learns from results of elsewhere: which fit, which are left out and why, what its sampler is told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from shelf import Shelf
from walked import Walker

from paribus import Choice, Float, Int, Search, Study
from paribus.engine.options import Options
from paribus.engine.samplers.known import sampler_of
from paribus.engine.schedulers import scheduler_of
from paribus.engine.searches.past_results import LEARNING, with_past
from paribus.engine.searches.search_preview import make_search_preview
from paribus.engine.searches.suggestions import suggestions
from paribus.engine.searches.tried import Go
from paribus.engine.searches.walk import Walk
from paribus.report.searches.search_report import search_report
from paribus.report.searches.search_texts import found_text, search_plan_text
from paribus.study import StudyError
from paribus.study.searches.search_document import read_search, write_search
from paribus.study.searches.space import Levels
from paribus.tracking.ledger import Ledger
from paribus.tracking.mlflow.server import ServerProcess

SPACE = {
    "optimizer.kind": Choice("sgd", "adamw"),
    "optimizer.momentum": Float(0.0, 0.9, when={"optimizer.kind": "sgd"}),
    "optimizer.lr": Float(1e-3, 1.0, log=True),
    "data.batch_size": Int(16, 64),
}
TABLE = """optimizer.kind,optimizer.momentum,optimizer.lr,data.batch_size,model.depth,top1,outcome
sgd,0.5,0.1,32,10,80.5,finished
adamw,,0.01,16,10,85,
sgd,0.5,0.9,32,10,,diverged
sgd,0.5,0.2,32,16,91,finished
sgd,0.5,7.0,32,10,92,finished
sgd,0.5,0.3,33.5,10,93,finished
sgd,,0.3,32,10,93,finished
adamw,,0.02,16,10,,stopped
adamw,,0.02,16,10,nan,finished
"""


def search(*start: object, **fields: Any) -> Search:
    usual = {
        "name": "rate",
        "space": SPACE,
        "trials": 20,
        "sampler": "tpe",
        "scheduler": "none",
        "fixed": {"model.depth": 10},
    }
    return Search(**{**usual, "start": start, **fields})


def test_rows_of_a_file_that_fit_are_told_and_the_others_are_left_out_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    file.write_text(TABLE)
    made = with_past(search(str(file)), None)
    assert made.past is not None
    assert [(dict(row.levels), dict(row.metrics)) for row in made.past.rows] == [
        (
            {"optimizer.kind": "sgd", "optimizer.momentum": 0.5, "optimizer.lr": 0.1, "data.batch_size": 32},
            {"top1": 80.5},
        ),
        ({"optimizer.kind": "adamw", "optimizer.lr": 0.01, "data.batch_size": 16}, {"top1": 85.0}),
        ({"optimizer.kind": "sgd", "optimizer.momentum": 0.5, "optimizer.lr": 0.9, "data.batch_size": 32}, {}),
    ]
    assert {why: count for (_, why), count in made.past.left_out.items()} == {
        "model.depth = 16 and not 10": 1,
        "optimizer.lr outside Float(0.001, 1, log=True)": 1,
        "data.batch_size outside Int(16, 64)": 1,
        "without optimizer.momentum": 1,
        "no value of top1": 1,
        "a value that is no number": 1,
    }
    plan = search_plan_text(make_search_preview(made, tmp_path, [], lambda own: {}, Options()))
    assert f"learns from 3 past results of {file}, which are no trials of its own; left out: " in plan
    assert "1 (model.depth = 16 and not 10)" in plan
    assert "the confirmation is fresh in its seeds alone" in plan
    assert "20 to come" in plan, "none of its trials is done"


def test_the_walk_tells_them_to_the_sampler_before_its_own_and_never_counts_ranks_or_confirms_them(
    tmp_path: Path,
) -> None:
    file = tmp_path / "past.csv"
    file.write_text(TABLE)
    made = with_past(search(str(file), trials=3), None)
    walk = Walk(made, sampler_of(made), scheduler_of("none"), 1)
    assert [(each.number, each.state, each.values) for each in walk.past] == [
        (-3, "finished", (80.5,)),
        (-2, "finished", (85.0,)),
        (-1, "failed", ()),
    ]
    while isinstance(go := walk.next(), Go):
        walk.ended(go.tried.number, "finished", {"top1": 50.0 + go.tried.number})
    assert [each.number for each in walk.told()] == [0, 1, 2]
    assert [each.number for each in walk.ranked()] == [2, 1, 0]
    assert all(each.metrics["top1"] < 60 for each in walk.best())
    fresh = Walk(made, sampler_of(made), scheduler_of("none"), 1)
    assert suggestions(fresh, 2)[1].why.endswith("and of 3 past results")
    report = search_report(make_search_preview(made, tmp_path, [], lambda own: {}, Options()))
    assert "learns from 3 past results" in found_text(report)


@pytest.mark.parametrize("name", [each for each in LEARNING if each != "auto"])
def test_each_sampler_that_is_said_to_learn_proposes_otherwise_and_better_for_them(name: str, tmp_path: Path) -> None:
    """Past results whose best lie at a rate of 0.01: the next proposals lie nearer to it than without."""
    file = tmp_path / "past.csv"
    known, asked = (12, 3) if name == "gp" else (60, 15)  # a Gaussian process takes a second to fit
    rates = [10 ** (-3 + 3 * (number + 0.5) / known) for number in range(known)]
    rows = [f"{rate},{32},{90 - 10 * abs(math.log10(rate / 0.01))}" for rate in rates]
    file.write_text("\n".join(["optimizer.lr,data.batch_size,top1", *rows]))
    space = {"optimizer.lr": SPACE["optimizer.lr"], "data.batch_size": Int(16, 64)}
    away = []
    for start in ((), (str(file),)):
        made = with_past(search(*start, space=space, sampler=name, trials=80, baseline={}), None)
        walk = Walk(made, sampler_of(made), scheduler_of("none"), 1)
        for _ in range(asked):
            go = walk.next()
            assert isinstance(go, Go)
            rate = float(str(go.tried.levels["optimizer.lr"]))
            away.append(abs(math.log10(rate / 0.01)))
            walk.ended(go.tried.number, "finished", {"top1": 90 - 10 * away[-1]})
    assert away[:asked] != away[asked:]
    assert sum(away[asked:]) < 0.8 * sum(away[:asked])


def test_cma_es_begins_from_past_results_of_a_space_with_choices_and_conditions(tmp_path: Path) -> None:
    """It walks among numbers alone, and of them those that all of its own trials have."""
    file = tmp_path / "past.csv"
    rows = [
        f"sgd,0.{number % 9},{0.01 * 1.1**number},{20 + number},10,{60 + number},finished\n"
        f"adamw,,{0.01 * 1.1**number},{20 + number},10,{50 + number},finished"
        for number in range(20)
    ]
    file.write_text("\n".join([TABLE.splitlines()[0], *rows]))
    walked = []
    for start in ((), (str(file),)):
        made = with_past(search(*start, sampler="cmaes", trials=8, baseline={}), None)
        walk = Walk(made, sampler_of(made), scheduler_of("none"), 1)
        while isinstance(go := walk.next(), Go):
            assert not made.domains.fault(go.tried.levels)
            walk.ended(go.tried.number, "finished", {"top1": 50.0 + go.tried.number})
        walked.append([each.levels for each in walk.tried.values()])
    assert len(walked[1]) == 8
    assert walked[0][1:] != walked[1][1:]


@pytest.mark.parametrize(
    ("sampler", "sentence"),
    [
        (
            "cmaes",
            "the sampler 'cmaes' begins from the best tenth of past results: of 10 or more that were ",
        ),
        ("cmaes(use_separable_cma=True)", "with use_separable_cma it begins from none"),
    ],
)
def test_what_cma_es_cannot_begin_from_is_refused(sampler: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    file.write_text(TABLE)
    with pytest.raises(StudyError) as refused:
        with_past(search(str(file), sampler=sampler), None)
    assert sentence in str(refused.value)


def test_they_are_part_of_the_document_and_not_of_what_makes_the_search_another(tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    file.write_text(TABLE)
    bare = search(str(file), against=("num_params",), constraints=("total_s < 5",))
    with pytest.raises(StudyError, match="no column 'num_params'"):
        with_past(bare, None)
    made = with_past(search(str(file), {"optimizer.kind": "adamw", "optimizer.lr": 0.3, "data.batch_size": 16}), None)
    again = read_search(write_search(made))
    assert again.past == made.past
    assert again.start == made.start
    assert again.settled == made.settled == search(*made.start).settled
    assert search(*made.start[1:]).settled != made.settled, "what it learns from is part of the walk"
    assert len(made.first) == 2, "the baseline, and the setting to start from"
    assert with_past(made, None) is made, "what was read is not read again"
    assert "past" not in write_search(search())


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("optimizer.lr,data.batch_size\n0.1,32\n", "has no column 'top1'"),
        (
            "optimizer.kind,optimizer.lr,data.batch_size,eval_loss\nadamw,0.1,32,0.3\n",
            "has no column 'top1' (it has eval_loss, of which less is better, where of top1 more is)",
        ),
        (
            "optimizer.kind,optimizer.lr,data.batch_size,top1,optimizer.rate\n",
            "the column 'optimizer.rate', which is no",
        ),
        ("optimizer.kind,data.batch_size,top1\nadamw,32,90\n", "has no column 'optimizer.lr', which the space asks"),
        (
            "optimizer.kind,optimizer.lr,data.batch_size,top1,top1\nadamw,0.1,32,1,2\n",
            "the column 'top1' more than once",
        ),
        ("optimizer.kind,optimizer.lr,data.batch_size,top1\nadamw,0.1,32,high\n", "line 2: top1 = 'high' is no number"),
        ("optimizer.kind,optimizer.lr,data.batch_size,top1\nadamw,0.1,32\n", "line 2: it has not as many cells"),
        (
            "optimizer.kind,optimizer.lr,data.batch_size,top1\nadamw,9,32,90\nadamw,8,32,90\n",
            "fits this search: left out are 2 (optimizer.lr outside Float(0.001, 1, log=True))",
        ),
        ("optimizer.kind,optimizer.lr,data.batch_size,top1\n", "fits this search, for there are none"),
        (None, "which can't be read from"),
    ],
)
def test_a_file_that_nothing_can_be_learnt_from_is_refused(table: str | None, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "past.csv"
    if table is not None:
        file.write_text(table)
    with pytest.raises(StudyError) as refused:
        with_past(search(str(file)), None)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ("results.txt", "past results are 'search:NAME' or 'study:NAME'"),
        ("search:", "past results are 'search:NAME' or 'study:NAME'"),
        ("search:rate", "which is the search itself"),
        ("study:rate-confirmed", "which is the search itself"),
        (3, "settings map paths to levels"),
    ],
)
def test_what_names_no_past_results_is_refused_where_it_is_written(start: object, sentence: str) -> None:
    with pytest.raises(StudyError) as refused:
        search(start)
    assert sentence in str(refused.value)


@pytest.mark.parametrize("sampler", ["sobol", "random", "grid"])
def test_a_sampler_that_learns_nothing_from_them_is_refused(sampler: str) -> None:
    with pytest.raises(
        StudyError, match=f"the sampler '{sampler}' learns nothing from results that it did not propose"
    ):
        with_past(search("past.csv", sampler=sampler), None)


@pytest.mark.cluster
def test_results_of_the_ledger_are_read_once_and_the_walk_goes_on_with_them(
    shelf_server: ServerProcess, tmp_path: Path
) -> None:
    walker, rate = Walker(shelf_server.uri, tmp_path), {"optimizer.lr": Float(1e-3, 1.0, log=True)}
    earlier = search(
        name="past_earlier", space=rate, sampler="random", trials=8, confirm=0, fixed={"budget": "3 epochs"}
    )
    walker.walk(earlier, _value)
    fields: dict[str, Any] = {"space": rate, "trials": 4, "confirm": 0, "fixed": {"budget": "3 epochs"}}
    with Ledger(shelf_server.uri) as ledger:
        made = with_past(search("search:past_earlier", name="past_later", **fields), ledger)
        assert made.past is not None
        seen = {row.levels["optimizer.lr"]: dict(row.metrics) for row in made.past.rows}
        tried = {each.arm.as_dict()["optimizer.lr"]: each for each in ledger.trials("past_earlier")}
        assert set(seen) == set(tried)
        assert {rate for rate, metrics in seen.items() if not metrics} == {
            rate for rate, each in tried.items() if each.outcome == "diverged"
        }
        other = search("search:past_earlier", name="past_other", **{**fields, "fixed": {"budget": "9 epochs"}})
        with pytest.raises(StudyError, match=r"8 \(budget.amount = 3.0 and not 9.0\)"):
            with_past(other, ledger)
        for wrong, sentence in (
            ("study:past_earlier", "it is a search, 'search:past_earlier'"),
            ("search:none", "none of that name"),
        ):
            with pytest.raises(StudyError, match=sentence):
                with_past(search(wrong, name="past_other", **fields), ledger)
        walker.walk(made, _value, most=2)
        walker.walk(
            search(
                name="past_earlier", space=rate, sampler="random", trials=10, confirm=0, fixed={"budget": "3 epochs"}
            ),
            _value,
        )
        goes_on = with_past(search("search:past_earlier", name="past_later", **fields), ledger)
        assert goes_on.past is not None
        assert goes_on.past.rows == made.past.rows, "a source that changes later changes nothing"
        assert "held 8 results that fit when the search began and holds 10 now" in goes_on.past.notes[-1]
        own = ledger.trials("past_later")
    assert [each.replicate for each in sorted(own, key=lambda each: each.replicate)] == [1, 2]
    unread = search("search:past_earlier", name="past_later", **fields)
    with pytest.raises(StudyError, match="past results were not read"):
        make_search_preview(unread, tmp_path, [], lambda own: {}, Options())
    away = with_past(unread, None)
    assert away.past is not None
    assert "no ledger is up" in away.past.notes[0]


@pytest.mark.cluster
def test_a_study_leaves_each_of_its_trials_that_fits_and_it_is_said_that_they_are_of_the_evaluation_split(
    shelf: Shelf,
) -> None:
    study = Study(
        name="past_width",
        factors={"optimizer.lr": (0.02, 0.2), "model.depth": (10, 16)},
        baseline={"optimizer.lr": 0.02, "model.depth": 10},
        fixed={"budget": "3 epochs"},
        replicates=2,
    )
    shelf.fill(study, lambda trial: "failed" if (trial.replicate, trial.recipe.optimizer.lr) == (2, 0.2) else 81.5)
    shelf.opened(study)
    rate = {"optimizer.lr": Float(1e-3, 1.0, log=True)}
    fixed = {"budget": "3 epochs", "model.depth": 16}
    with Ledger(shelf.uri) as ledger:
        made = with_past(search("study:past_width", name="past_rate", space=rate, fixed=fixed), ledger)
    assert made.past is not None
    assert sorted(str(row.levels["optimizer.lr"]) for row in made.past.rows) == ["0.02", "0.02", "0.2"]
    assert all(row.metrics == {"top1": 81.5} for row in made.past.rows)
    assert {why: count for (_, why), count in made.past.left_out.items()} == {
        "without a result": 2,
        "model.depth = 10 and not 16": 3,
    }
    assert any("was judged on the evaluation split, as the confirmation is" in note for note in made.past.notes)


def _value(levels: Levels) -> float | str:
    rate = float(str(levels["optimizer.lr"]))
    return "diverged" if rate > 0.5 else 90.0 - 8 * abs(math.log10(rate) + 1)
