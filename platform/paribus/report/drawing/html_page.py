"""A study report as one self-contained page: no server, no network, no script from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from paribus.host.secrets import without_secrets
from paribus.report.drawing.cost_tables import cost_display_rows
from paribus.report.drawing.effect_tables import effect_display_rows
from paribus.report.drawing.plots import effects_figure, learning_curves_figure
from paribus.report.drawing.tables import arm_display_rows, display_rows
from paribus.report.files import write_whole
from paribus.report.study_report import StudyReport

_STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; color: #222 }
table { border-collapse: collapse; font-size: 14px } td, th { border-bottom: 1px solid #ddd; padding: .3rem .7rem;
text-align: left } h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem } .quiet { color: #666 }"""


def write_html(report: StudyReport, path: Path) -> Path:
    """Write the page."""
    found = report.judged
    effects = effects_figure(found.on_primary, found.exploratory)
    learning = learning_curves_figure(report.curves, found.metric.name, "step")
    notes = "".join(f"<li>{html.escape(without_secrets(line))}</li>" for line in report.lines())
    fixed = "".join(
        f"<tr><td>{html.escape(path)}</td><td>{html.escape(without_secrets(str(value)))}</td></tr>"
        for path, value in found.caveats.items()
    )
    title = html.escape(without_secrets(f"{report.title}: {found.question}"))
    return write_whole(
        path,
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1>{_table(display_rows(found), 'No contrasts yet.')}<ul>{notes}</ul>"
        f"{effects.to_html(full_html=False, include_plotlyjs=True)}"
        f"{_effects(report)}"
        f"<h2>Arms</h2>{_table(arm_display_rows(found, report.arms), 'No arms.')}"
        f"<h2>What each conclusion cost</h2>{_table(cost_display_rows(report.cost), 'No trial tells its time.')}"
        f"{learning.to_html(full_html=False, include_plotlyjs=False)}"
        f"<h2>Every trial</h2>{_trials(report, found.metric.name)}"
        f'<h2>Fixed in every arm</h2><table class="quiet">{fixed}</table></html>',
    )


def _effects(report: StudyReport) -> str:
    if not report.judged.effects:
        return ""
    return f"<h2>Effects of factors, over all arms that train</h2>{_table(effect_display_rows(report.judged), '')}"


def _trials(report: StudyReport, metric: str) -> str:
    rows = [
        f"<tr><td>{html.escape(row.arm.name)}</td><td>{row.replicate}</td><td>{html.escape(row.state)}</td>"
        f"<td>{row.record.metrics.get(metric, float('nan')):.4g}</td>"
        f'<td><a href="{html.escape(row.record.url)}">run</a></td></tr>'
        for row in report.trials
        if row.record
    ]
    head = f"<tr><th>arm<th>replicate<th>outcome<th>{html.escape(metric)}<th>MLflow</tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _table(rows: Sequence[Mapping[str, str]], none: str) -> str:
    """The rows of a table as HTML."""
    if not rows:
        return f"<p>{none}</p>"
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row.values()) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
