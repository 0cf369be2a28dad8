"""What people read of a population: its plan, its lines of descent, and that nothing of it is confirmed."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from populations import population, recorded, search, steps

from paribus.engine.options import Options
from paribus.engine.searches.search_preview import SearchPreview, make_search_preview
from paribus.report.drawing.figures.search_figures import history_figure, rungs_figure
from paribus.report.drawing.search_tables import rung_rows, setting_rows, settings_csv, tried_text
from paribus.report.searches.search_importance import search_importance
from paribus.report.searches.search_report import search_markdown, search_report
from paribus.report.searches.search_texts import chosen_line, found_text, search_plan_text
from paribus.shards.catalog import data_digest


def previewed(home: Path, count: int = 18) -> SearchPreview:
    """A population of which the ledger has the first `count` trials."""
    made = search(space={"optimizer.lr": search().space["optimizer.lr"]})
    walk = population(made)
    list(steps(walk))
    records = recorded(made, walk.tried, data_digest(made.base_recipe, home), is_over=count == 18)[:count]
    curves = {f"run-{number}": each.seen for number, each in walk.tried.items()}
    return make_search_preview(made, home, records, lambda own: curves, Options(accept_code=True))


def test_the_best_are_shown_with_all_that_they_went_through_and_as_exploratory(tmp_path: Path) -> None:
    preview = previewed(tmp_path)
    report = search_report(preview)
    best = report.best[0]
    line = report.lineage()[best.number]
    assert (len(line), line[-1]) == (3, best.number)
    text = found_text(report)
    (stages,) = (each for each in text.splitlines() if each.strip().startswith(f"#{best.number}: epoch"))
    assert all(f"#{number}" in stages for number in line)
    assert all(report.search.arm_of(report.tried[number].levels).name in stages for number in line)
    assert stages.index("epochs 1 to ") < stages.index(f"#{line[0]}")
    assert "to 9 at" in stages
    assert "exploratory, and it stays so" in text
    assert "What was found is the schedule and not its last setting" in text
    assert f"- #{best.number}: epochs 1 to " in search_markdown(report)
    assert report.recipe() is None, "no recipe trains a schedule"
    assert f"the best: #{best.number} " in chosen_line(report)
    assert "not confirmed, and no recipe has it" in chosen_line(report)
    assert report.confirmed() == []
    assert "members of a population" in search_importance(report, "PED-ANOVA").refused


def test_data_tables_and_exports_say_from_whom_each_trial_went_on(tmp_path: Path) -> None:
    report = search_report(previewed(tmp_path))
    parents = [each.parent for each in report.tried]
    assert parents[:6] == [None] * 6
    assert None not in parents[6:]
    told = report.as_dict()
    assert [row["goes_on_from"] for row in told["trials"]] == parents
    assert [row["generation"] for row in told["trials"]] == [1] * 6 + [2] * 6 + [3] * 6
    assert set(told["lineage"]) == {each.number for each in report.best}
    rows = setting_rows(report)
    assert [row["goes on from"] for row in rows] == parents
    assert [row["state"] for row in rows] == ["generation done"] * 12 + ["finished"] * 6, "nobody was cut short"
    assert tried_text(report) == "18 of 18 settings tried: 6 finished, 12 generation done"
    assert [(row["after epoch"], row["generation done here"]) for row in rung_rows(report)] == [(3, 6), (6, 6), (9, 0)]
    figure = rungs_figure(report)
    assert figure is not None
    assert {trace.name for trace in figure.data} == {"finished", "generation done"}
    assert figure.layout.title.text == "Every trial to the end of its generation"
    assert history_figure(report).data
    exported = list(csv.DictReader(io.StringIO(settings_csv(report))))
    assert [row["goes_on_from"] for row in exported] == ["" if each is None else str(each) for each in parents]


def test_a_plan_counts_members_and_generations(tmp_path: Path) -> None:
    text = search_plan_text(previewed(tmp_path, count=8))
    assert "6 members by sobol in 3 generations, 18 trials, scheduler pbt(interval=3, quantile=0.34)" in text
    assert "8 wait for their generation" in text
    assert "generations end after 3, 6, 9 epochs" in text
    assert "no confirmation: nothing will be said to be better" in text
