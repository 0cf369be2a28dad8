"""A study report as LaTeX: its tables for a paper, with the sentence that they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from paribus.host.secrets import without_secrets
from paribus.report.drawing.cost_tables import cost_display_rows
from paribus.report.drawing.effect_tables import effect_display_rows
from paribus.report.drawing.html_parts import with_minus
from paribus.report.drawing.latex import latex_table, latex_text
from paribus.report.drawing.tables import arm_display_rows, display_rows
from paribus.report.files import write_whole
from paribus.report.headline import headline
from paribus.report.study_report import StudyReport


def latex_tables(report: StudyReport) -> str:
    r"""Verdicts, effects, arms and costs, each a `table` with a caption; the first says what was found.

    They compile with pdfLaTeX and `\usepackage{booktabs}`; letters of other scripts in names take XeLaTeX or LuaLaTeX.
    """
    found = report.judged
    level, unit = 100 * (1 - found.alpha), found.metric.unit
    about = (
        f"{headline(found)} Arm minus baseline on {found.metric.label} with {level:g} % intervals over training "
        f"chance, margin ±{found.margin:g} {unit}, p corrected by Holm."
    )
    tables: Sequence[tuple[str, Sequence[Mapping[str, str]]]] = (
        (about, display_rows(found)),
        ("Effects of factors, over all arms that train.", effect_display_rows(found)),
        ("The arms by themselves.", arm_display_rows(found, report.arms)),
        ("What each conclusion cost.", cost_display_rows(report.cost)),
    )
    title = latex_text(_plain(f"{report.title}: {found.question}"))
    unit_of = f" {f'{unit} {found.metric.short}'.strip()}"
    whole = [latex_table([_told(row, unit_of) for row in rows], _plain(caption)) for caption, rows in tables if rows]
    return "\n".join([f"% {title}\n% \\usepackage{{booktabs}}\n", *whole])


def write_latex(report: StudyReport, path: Path) -> Path:
    """Write the tables as LaTeX."""
    return write_whole(path, latex_tables(report))


def _told(row: Mapping[str, str], unit: str) -> dict[str, str]:
    """A row without the unit, which the caption says: a column of a paper is narrow."""
    return {_plain(head): _plain(cell.removesuffix(unit)) for head, cell in row.items()}


def _plain(text: str) -> str:
    return with_minus(without_secrets(text))
