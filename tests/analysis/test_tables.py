"""The verdict table in its forms."""

import csv
import io
import json
from math import inf

import pytest
from rich.console import Console

from paribus.analysis import StudyAnalysis, analyse, tables
from paribus.study import Study


@pytest.fixture
def analysis(study: Study, results_of) -> StudyAnalysis:
    table = {1.0: [90.0, 90.2, 89.8, 90.1, 89.9], 2.0: [95.0, 95.4, 94.8, 95.2, 95.3], 4.0: [90.1, "dead", "stopped"]}
    return analyse(study, results_of(study, table))


def test_rows_are_plain_and_survive_json(analysis: StudyAnalysis) -> None:
    rows = tables.verdict_rows(analysis)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert [row["metric"] for row in rows] == [*["top1"] * 2, *["log_likelihood"] * 2, *["eval_loss"] * 2]
    assert rows[0]["verdict"] == "better"
    assert rows[0]["n"] == 5
    assert rows[0]["low"] is not None
    assert rows[1]["low"] is None
    assert all(row["exploratory"] == "exploratory" for row in rows)


def test_csv_and_frame_hold_every_row(analysis: StudyAnalysis) -> None:
    parsed = list(csv.DictReader(io.StringIO(tables.as_csv(analysis))))
    assert [row["arm"] for row in parsed] == [row["arm"] for row in tables.verdict_rows(analysis)]
    assert float(parsed[0]["mean_delta"]) == pytest.approx(5.14)
    assert tables.frame(analysis).shape == (6, len(parsed[0]))


def test_people_see_n_interval_p_and_verdict_together(analysis: StudyAnalysis) -> None:
    first, second = tables.display_rows(analysis)
    assert first["delta"].startswith("+5.14 [+")
    assert first["n"] == "5"
    assert first["verdict"] == "better (exploratory)"
    assert "no interval" in second["delta"]
    assert second["failed to train"] == "1 vs 0 of 2"
    assert second["p differs (Holm)"] == "-"


def test_text_markdown_and_terminal_say_the_same(analysis: StudyAnalysis) -> None:
    text, markdown = tables.as_text(analysis), tables.as_markdown(analysis)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(tables.rich_table(analysis))
    for shown in (text, markdown, console.export_text()):
        assert "k=2" in shown
        assert "better (exploratory)" in shown
        assert "+5.14 [+" in shown
    assert "claim unresolved: wider is better (WRN, Table 4)" in text
    assert "source: CIFAR-10, 200 epochs" in text
    assert "k=2: intervals beside the paired t one: studentised bootstrap [+" in text
    assert markdown.count("\n") == 4


def test_every_text_names_the_margin_and_says_which_p_are_corrected(analysis: StudyAnalysis) -> None:
    text, markdown = tables.as_text(analysis), tables.as_markdown(analysis)
    console = Console(width=240, record=True, file=io.StringIO())
    console.print(tables.rich_table(analysis))
    terminal = console.export_text()
    for shown in (text, markdown, terminal):
        assert "p differs (Holm)" in shown
        assert "p within ±0.5 (Holm)" in shown
        assert "failed to train" in shown
    assert "margin ±0.5 points" in terminal
    assert "margin ±0.5 points: an effect within it is called equivalent. p are corrected by Holm" in text
    assert tables.verdict_rows(analysis)[0]["margin"] == 0.5


def test_a_study_without_results_has_a_table_too(study: Study) -> None:
    empty = analyse(study, [])
    assert "no pairs" in tables.as_text(empty)
    alone = analyse(Study(name="s", factors={"model.width": (1.0,)}, baseline={"model.width": 1.0}), [])
    assert tables.as_csv(alone) == ""
    assert "No contrasts yet" in tables.as_markdown(alone)
    assert "No contrasts yet" in tables.as_text(alone)
    assert tables.rich_table(alone).columns[0].header == "No contrasts yet"


def test_infinite_needs_are_plain_values(study: Study, results_of) -> None:
    wild = [10.0, 99.0, 5.0, 98.0, 90.0]
    found = analyse(study.vary(margin=0.0001), results_of(study, {1.0: [*wild[1:], wild[0]], 2.0: wild}))
    assert found.contrasts[0].further_replicates == inf
    assert any("more than 10,000 further replicates" in note for note in found.contrasts[0].notes)
    json.dumps(tables.verdict_rows(found), allow_nan=False)
