"""The verdict table in its forms."""

import csv
import io
import json
from dataclasses import replace
from math import inf

import pytest
from rich.console import Console

from paribus.analysis import StudyAnalysis, analyse
from paribus.analysis.looks import Looks
from paribus.report.drawing import tables
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


def test_a_row_has_the_numbers_of_its_contrast_each_under_its_own_name(study: Study, results_of) -> None:
    base, wide = [90.0, 90.2, 89.8, 90.1, 89.9, "dead"], [90.9, 89.9, 91.4, 89.6, "dead", "diverged"]
    found = analyse(study.vary(replicates=6), results_of(study, {1.0: base, 2.0: wide}), num_eval=400)
    contrast, row = found.contrasts[0], tables.verdict_rows(found)[0]
    for prefix, interval in (
        ("", contrast.interval),
        ("simultaneous_", contrast.simultaneous),
        ("failed_", contrast.stability.interval),
    ):
        assert interval is not None
        assert (row[f"{prefix}low"], row[f"{prefix}high"]) == (interval.low, interval.high)
    assert (row["bootstrap_low"], row["both_chances_high"]) == (None, None)
    for name in ("sd", "hedges_g", "p_superiority_holm", "p_equivalence_holm", "margin", "n"):
        assert row[name] == getattr(contrast, name)
    assert (row["mean_delta"], row["further_replicates"]) == (contrast.mean, contrast.further_replicates)
    assert (row["pairs_ended"], row["arm_failed"], row["baseline_failed"]) == (6, 2, 1)
    assert row["failed_difference"] == pytest.approx(1 / 6)
    assert (row["p_stability"], row["p_stability_holm"]) == (contrast.stability.p, contrast.stability.p_holm)
    assert contrast.pairing is not None
    assert row["rho"] == contrast.pairing.rho
    assert row["deltas"] == "r1:0.9 r2:-0.3 r3:1.6 r4:-0.5"
    assert tables.verdict_rows(found)[1]["p_stability"] is None, "without a pair there is no p"
    assert tables.display_rows(found)[0]["failed to train"] == "2 vs 1 of 6"


def test_a_p_for_people_at_its_edges() -> None:
    assert [tables.show_p(p) for p in (0.0, 0.00099, 0.001, 0.0314, 0.9994, 0.9995, 1.0, float("nan"))] == [
        "< 0.001",
        "< 0.001",
        "0.001",
        "0.031",
        "0.999",
        "1",
        "1",
        "-",
    ]


def test_after_a_look_a_verdict_says_so_from_three_pairs_on_and_on_the_primary_metric_alone(study, results_of) -> None:
    results = results_of(study, {1.0: [90.0, 90.2, 89.8, 90.1], 2.0: [95.0, 95.4, 94.8, 95.2], 4.0: [95.0, 95.4]})
    found = analyse(study.vary(replicates=4), results, looks=Looks(own=(3,)))
    rows = tables.verdict_rows(found)
    assert [row["after_looks"] for row in rows[:2]] == ["after a look at 3", ""]
    assert all(row["after_looks"] == "" for row in rows[2:])
    three = analyse(study.vary(replicates=4), [*results, *results_of(study, {4.0: [0.0, 0.0, 94.8]})[2:]])
    assert tables.verdict_rows(replace(three, looks=Looks(own=(3,))))[1]["after_looks"] == "after a look at 3"


def test_a_table_names_the_baseline_where_there_are_several_and_leaves_secondary_metrics_out_unless_asked(
    analysis: StudyAnalysis,
) -> None:
    assert "baseline" not in tables.display_rows(analysis)[0]
    assert (len(tables.display_rows(analysis)), len(tables.display_rows(analysis, secondary=True))) == (2, 6)
    assert (len(tables.verdict_rows(analysis)), len(tables.verdict_rows(analysis, secondary=False))) == (6, 2)
    shown = tables.display_rows(analysis)[0]
    assert shown["effect size"] == f"{analysis.contrasts[0].hedges_g:+.2f}"
    assert tables.display_rows(analysis)[1]["effect size"] == "-"
    title = tables.rich_table(replace(analysis, alpha=0.1, margin=0.75)).title
    assert title == "width: arm minus baseline, 90 % intervals over training chance, margin ±0.75 points"


def test_one_contrast_has_a_table_in_every_form(study: Study, results_of) -> None:
    alone = study.vary(factors={"model.width": (1.0, 2.0)})
    found = analyse(alone, results_of(alone, {1.0: [90.0, 90.2, 89.8], 2.0: [95.0, 95.4, 94.8]}))
    (row,) = tables.verdict_rows(found, secondary=False)
    assert row["exploratory"] == ""
    (line,) = csv.DictReader(io.StringIO(tables.as_csv(found, secondary=False)))
    assert line["arm"] == row["arm"]
    (shown,) = tables.display_rows(found)
    assert shown["p differs (Holm)"] == tables.show_p(found.contrasts[0].p_superiority_holm) != "-"
    assert shown["p within ±0.5 (Holm)"] == tables.show_p(found.contrasts[0].p_equivalence_holm) != "-"
    assert tables.as_text(found).splitlines()[1].startswith("k=2  +")
    head, rule, body = tables.as_markdown(found).splitlines()
    assert (head.count("|"), set(rule)) == (body.count("|"), set("| -"))
    assert [column.header for column in tables.rich_table(found).columns] == list(shown)


def test_without_an_interval_there_is_no_p_and_without_a_pair_no_p_of_failures(study: Study, results_of) -> None:
    found = analyse(study, results_of(study, {1.0: [90.0, 90.2], 2.0: [95.0, 95.4]}))
    for row in tables.display_rows(found):
        assert (row["p differs (Holm)"], row["p within ±0.5 (Holm)"]) == ("-", "-")
    assert [row["p_stability_holm"] for row in tables.verdict_rows(found, secondary=False)] == [1.0, None]
    assert tables.contrast_lines(found.contrasts[1]) == [f"k=4: {note}" for note in found.contrasts[1].notes]
    assert not any("beside the paired t one" in line for line in tables.summary(found))


def test_two_baselines_are_named_in_the_table_and_one_is_not(study: Study, results_of) -> None:
    strata = study.vary(factors={"model.width": (1.0, 2.0), "model.depth": (10, 16)}, baseline={"model.width": 1.0})
    rows = tables.display_rows(analyse(strata, []))
    assert [row["baseline"] for row in rows] == ["k=1 · depth=10", "k=1 · depth=16"]


def test_columns_of_plain_text_are_aligned_and_secondary_metrics_are_left_to_those_who_ask(
    analysis: StudyAnalysis,
) -> None:
    lines = tables.as_text(analysis).splitlines()
    rows = tables.display_rows(analysis)
    for column in ("delta", "verdict"):
        assert {line.index(row[column]) for line, row in zip(lines[1:3], rows, strict=True)} == {lines[0].index(column)}
    assert lines[3] == ""
    assert (tables.as_text(analysis).count("eval_loss"), len(tables.rich_table(analysis).rows)) == (0, 2)
    shown = tables.display_rows(analysis, secondary=True)
    assert [row["verdict"] for row in shown[2:]] == ["secondary (exploratory)"] * 4
    assert len(tables.rich_table(analysis, secondary=True).rows) == 6
    assert tables.as_text(analysis, secondary=True).splitlines()[7] == ""


def test_only_the_verdict_is_coloured_and_by_its_word_and_cells_fold(analysis: StudyAnalysis) -> None:
    table = tables.rich_table(analysis)
    styles = {column.header: [cell.style for cell in column.cells] for column in table.columns}
    assert styles.pop("verdict") == ["green", "yellow" if analysis.contrasts[1].verdict == "unresolved" else "dim"]
    assert set(map(tuple, styles.values())) == {("", "")}
    assert {column.overflow for column in table.columns} == {"fold"}


def test_what_pairing_bought_stands_below_the_table(analysis: StudyAnalysis) -> None:
    assert analysis.pairing is not None
    assert analysis.pairing.sentence() in tables.summary(analysis)
    assert analysis.pairing.sentence() not in tables.summary(replace(analysis, pairing=None))
