"""A study report as one page that proves itself: no server, no network, no script, its trials inside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paribus.report.drawing.cost_tables import cost_display_rows, cost_lines
from paribus.report.drawing.effect_tables import effect_display_rows
from paribus.report.drawing.figures.curve_lines import curve_lines
from paribus.report.drawing.figures.forest import forest
from paribus.report.drawing.html_parts import listed, shown, table
from paribus.report.drawing.tables import arm_display_rows, display_rows, summary
from paribus.report.files import write_whole
from paribus.report.headline import headline
from paribus.report.page.document import document_of, report_of
from paribus.report.page.made import made_page
from paribus.report.page.sheet import Sheet
from paribus.report.study_report import StudyReport

KIND = "study"
# Rows of a table that a person reads, on a page of at most 1 MB.
_MOST_TRIALS = 500


def write_html(report: StudyReport, path: Path) -> Path:
    """Write the page. Raises ValueError for a report that was not judged, or does not say from what."""
    return write_whole(path, made_page(KIND, document_of(report), study_sheet))


def study_sheet(document: Mapping[str, Any], scale: float = 1.0) -> Sheet:
    """What a study's page shows: all of it is made from the document, and from nothing else.

    Raises:
        StudyError, AnalysisError, KeyError, TypeError, ValueError, IndexError: it is none of `document_of`.
    """
    report = report_of(document, scale)
    found = report.judged
    mark = " (exploratory)" if found.exploratory else ""
    learning = curve_lines(report.curves, f"{found.metric.label} ({found.metric.of_level})", "training steps")
    sections = (
        ("", forest(found.on_primary, mark)),
        ("Verdicts", table("verdicts", display_rows(found), "No contrasts yet.")),
        ("What to know", listed(summary(found))),
        ("Effects of factors, over all arms that train", _effects(report)),
        ("Arms", table("arms", arm_display_rows(found, report.arms), "No arms.")),
        ("What each conclusion cost", _cost(report)),
        ("Learning curves", learning),
        ("Told by the ledger, and not by these trials", listed(report.notes)),
        ("Every trial", _trials(report)),
        ("Fixed in every arm", _fixed(report)),
    )
    body = "".join(f"{f'<h2>{shown(head)}</h2>' if head else ''}{part}\n" for head, part in sections if part)
    kicker = f'<p class="quiet">{shown(report.title)}: {shown(found.question)}</p>'
    title = f"{report.title}: {found.question}"
    return Sheet(title=title, body=f"{kicker}<h1>{shown(headline(found))}</h1>\n{body}", verdicts=report.as_dict())


def _effects(report: StudyReport) -> str:
    return table("factors", effect_display_rows(report.judged), "") if report.judged.effects else ""


def _cost(report: StudyReport) -> str:
    rows = table("cost", cost_display_rows(report.cost), "No trial tells its time.")
    return f"{listed(cost_lines(report.cost))}{rows}"


def _trials(report: StudyReport) -> str:
    """The trials, up to so many; of more than that those that are not just finished."""
    metric, begun = report.judged.metric, report.begun
    rest = begun if len(begun) <= _MOST_TRIALS else [row for row in begun if row.state != "finished"]
    rows = []
    for row in rest[:_MOST_TRIALS]:
        assert row.record is not None
        value = row.record.metrics.get(metric.name)
        rows.append(
            {
                "arm": shown(row.arm.name),
                "replicate": str(row.replicate),
                "outcome": shown(row.state),
                f"{metric.short} ({metric.of_level})": "–" if value is None or value != value else f"{value:.6g}",
                "trial": f'<a href="{shown(row.record.url)}">{shown(row.trial_id[:12])}</a>',
            }
        )
    left = f"<p>{len(begun) - len(rows)} others are in the page's data.</p>" if len(rows) < len(begun) else ""
    return table("trials", rows, "No trial has begun.", raw=[*rows[0]] if rows else ()) + left


def _fixed(report: StudyReport) -> str:
    """What the study itself fixes first."""
    fixed = report.judged.caveats
    own = [path for path in fixed if report.study and any(_within(path, each) for each in report.study.fixed)]
    ordered = {path: fixed[path] for path in (*own, *fixed)}
    return listed((f"{path} = {value}" for path, value in ordered.items()), "fixed")


def _within(path: str, chosen: str) -> bool:
    return path == chosen or path.startswith(f"{chosen}.")
