"""Markdown for a pull request and tables for LaTeX: they hold together whatever the names in them hold."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from made_reports import report_of_trials

from paribus.report.drawing.latex_tables import latex_tables
from paribus.report.drawing.markdown import markdown
from paribus.report.study_report import StudyReport
from paribus.study import Claim, Study

NASTY = r"a|b 100% of $x_1$ & {y} #1 ~ ^ \ <b> `c` *d*"


@pytest.fixture(scope="module")
def report() -> StudyReport:
    ablate = {"one|two_%": {"model.width": 2.0}, "three": {"optimizer.nesterov": False}}
    claim = Claim(NASTY, NASTY, direction="better")
    study = Study(name="odd", question=NASTY, ablate=ablate, replicates=4, claim=claim)
    made = report_of_trials(study, lambda trial: 90.0 - (not trial.arm.label) * trial.replicate / 4)
    return replace(made, notes=(NASTY,))


def test_every_row_of_a_table_in_markdown_has_its_columns_and_notes_are_folded(report: StudyReport) -> None:
    text = markdown(report, folded=True)
    first, *lines = text.splitlines()
    assert re.fullmatch(r"\*\*[^*].*\.\*\*", first), "the sentence"
    assert lines[1].startswith(r"a|b 100%")
    blocks, before = [], ""
    for line in lines:
        if line.startswith("|"):
            cells = len(re.findall(r"(?<!\\)\|", line)) - 1
            if not before.startswith("|"):
                assert before == "", "a table follows an empty line"
                blocks.append(cells)
            assert cells == blocks[-1], line
        before = line
    assert len(blocks) >= 3
    assert text.index("| arm |") < text.index("<details>"), "the verdicts are not folded"
    assert text.count("<details><summary>") == text.count("</details>") == len(re.findall(r"^</details>$", text, re.M))
    inside = re.findall(r"<summary>[^<]+</summary>\n\n.+?\n\n</details>", text, re.DOTALL)
    assert len(inside) == text.count("<details>"), "Markdown in an element stands between empty lines"
    assert "<b>" not in text
    assert "<details>" not in markdown(report)


def tokens(text: str) -> list[str]:
    """Commands, escaped signs, groups, mathematics and single letters, as TeX reads them; comments are left out."""
    text = re.sub(r"(?<!\\)%.*", "", text)
    return re.findall(r"\\[A-Za-z]+\*?|\\.|\$[^$]*\$|[\s\S]", text)


def test_latex_has_balanced_groups_equal_rows_and_no_sign_that_tex_would_read(report: StudyReport) -> None:
    text = latex_tables(report)
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") >= 3
    for table in re.findall(r"\\begin{tabular}{([lr]+)}(.+?)\\end{tabular}", text, re.DOTALL):
        columns, body = table
        rows = [row for row in re.split(r"\\\\\n", re.sub(r"\\(top|mid|bottom)rule\n", "", body.lstrip("\n"))) if row]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
    depth = 0
    known = {r"\begin", r"\end", r"\centering", r"\caption", r"\toprule", r"\midrule", r"\bottomrule", r"\\"}
    known |= {r"\textbackslash", r"\textasciitilde", r"\textasciicircum", r"\textless", r"\textgreater"}
    for token in tokens(text):
        depth += (token == "{") - (token == "}")
        assert depth >= 0
        assert token not in ("#", "_", "^", "~", "%", "$"), "it would be read by TeX"
        assert token in known or len(token) == 2 or not re.match(r"\\[A-Za-z]", token), token
    assert depth == 0
    assert r"one|two\_\%" in text
    assert "$-$0." in text, "a minus is no hyphen"
    assert r"a|b 100\% of \$x\_1\$ \& \{y\} \#1" in text
