"""A study report as Markdown: for a file, and for the note that MLflow shows beside the study."""

from pathlib import Path

from paribus.host.secrets import without_secrets
from paribus.report.drawing.cost_tables import costs_as_markdown
from paribus.report.drawing.effect_tables import effects_as_markdown
from paribus.report.drawing.markup import as_plain_markdown as plain
from paribus.report.drawing.tables import arms_as_markdown, as_markdown
from paribus.report.files import write_whole
from paribus.report.study_report import StudyReport


def markdown(report: StudyReport) -> str:
    """Question, verdicts, arms, claim, notes and what was fixed."""
    lines = [f"**{plain(report.judged.question)}**", ""]
    if report.settings.name:
        lines += [f"At other settings than the study's file: {plain(report.settings.name)}", ""]
    lines += [as_markdown(report.judged), "", *_effects(report), arms_as_markdown(report.judged, report.arms), ""]
    lines += [costs_as_markdown(report.cost), ""] if report.cost.rows else []
    lines += [f"- {plain(line.strip())}" for line in report.lines()]
    fixed = (f"`{path}` {plain(str(value))}" for path, value in report.judged.caveats.items())
    return without_secrets("\n".join([*lines, "", "Fixed: " + ", ".join(fixed)]) + "\n")


def _effects(report: StudyReport) -> list[str]:
    return [effects_as_markdown(report.judged), ""] if report.judged.effects else []


def write_markdown(report: StudyReport, path: Path) -> Path:
    """Write the tables as Markdown."""
    return write_whole(path, markdown(report))
