"""A study report as Markdown: for a pull request, and for the note that MLflow shows beside the study."""

from pathlib import Path

from paribus.host.secrets import without_secrets
from paribus.report.drawing.cost_tables import costs_as_markdown
from paribus.report.drawing.effect_tables import effects_as_markdown
from paribus.report.drawing.markup import as_plain_markdown as plain
from paribus.report.drawing.node_tables import nodes_as_markdown
from paribus.report.drawing.tables import arms_as_markdown, as_markdown
from paribus.report.files import write_whole
from paribus.report.fixed import fixed_line
from paribus.report.headline import headline
from paribus.report.study_report import StudyReport


def markdown(report: StudyReport, *, folded: bool = False) -> str:
    """The sentence, question, verdicts, arms, notes and what was fixed.

    Where `folded`, all below the verdicts is in `<details>`, which GitHub shows closed; MLflow's note knows none.
    """
    found = report.judged
    lines = [f"**{plain(headline(found))}**", "", plain(found.question), ""]
    if report.settings.name:
        lines += [f"At other settings than the study's file: {plain(report.settings.name)}", ""]
    lines += [as_markdown(found), ""]
    parts = [
        ("Effects of factors", effects_as_markdown(found) if found.effects else ""),
        ("Arms", arms_as_markdown(found, report.arms)),
        ("What each conclusion cost", costs_as_markdown(report.cost) if report.cost.rows else ""),
        ("Trials by the kind of node", nodes_as_markdown(report.study, report.records)),
        ("Notes", "".join(f"- {plain(line.strip())}\n" for line in report.lines())),
        ("Fixed in every arm", f"{fixed_line(found.caveats)}\n"),
    ]
    for head, part in parts:
        if part:
            lines += _folded(head, part) if folded else [part, ""]
    return without_secrets("\n".join(lines).rstrip("\n") + "\n")


def _folded(head: str, part: str) -> list[str]:
    """Markdown in HTML's element is Markdown between empty lines."""
    return [f"<details><summary>{head}</summary>", "", part, "</details>", ""]


def write_markdown(report: StudyReport, path: Path) -> Path:
    """Write it for a pull request."""
    return write_whole(path, markdown(report, folded=True))
