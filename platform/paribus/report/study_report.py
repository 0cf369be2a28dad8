"""A study's judgement: read from the ledger, judged by analysis, shown as text, Markdown or one page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import StringIO
from pathlib import Path
from typing import IO, Any

from paribus.analysis import StudyAnalysis, analyse
from paribus.engine.looks import first_fresh, fresh_note, held_note, history_of, looks_before
from paribus.host.secrets import without_secrets
from paribus.recipe import Recipe
from paribus.report.chance import judged_when_read
from paribus.report.files import write_whole
from paribus.report.markup import as_plain_markdown
from paribus.report.pairing_check import stream_notes
from paribus.report.plots import Curve, effects_figure, learning_curves_figure
from paribus.report.tables import as_markdown, display_rows, rich_table, summary, verdict_rows
from paribus.report.texts import record_notes
from paribus.shards.catalog import data_digest
from paribus.study.plan import places, trials
from paribus.study.settings import Settings, settings_of
from paribus.study.study import Study
from paribus.tracking.ledger import Ledger
from paribus.tracking.studies.planned import of_plan
from paribus.tracking.trials.record import TrialRecord

_STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; color: #222 }
table { border-collapse: collapse; font-size: 14px } td, th { border-bottom: 1px solid #ddd; padding: .3rem .7rem;
text-align: left } h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem } .quiet { color: #666 }"""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A study, its analysis, the records that it rests on, and each trial's validation curve."""

    study: Study
    analysis: StudyAnalysis
    records: Sequence[TrialRecord]
    curves: Sequence[Curve]
    notes: tuple[str, ...]
    url: str
    settings: Settings = field(default_factory=Settings)

    @property
    def title(self) -> str:
        """The study's name, and its settings where they are others than its file's."""
        return self.settings.title(self.study.name)

    def as_dict(self) -> dict[str, Any]:
        """Machine-readable verdicts: one row per contrast, the claim's outcome, counts and notes."""
        claim = self.analysis.claim
        return {
            "study": self.study.name,
            "settings": self.settings.name,
            "looks": self._looks(),
            "question": self.study.question,
            "verdicts": verdict_rows(self.analysis),
            "counts": self.analysis.verdict_counts(),
            "outcomes": dict(self.analysis.outcomes),
            "claim": {"text": claim.claim.text, "source": claim.claim.source, "outcome": claim.outcome}
            if claim
            else None,
            "caveats": {path: without_secrets(str(value)) for path, value in self.analysis.caveats.items()},
            "notes": [*summary(self.analysis), *self.notes],
        }

    def _looks(self) -> dict[str, Any] | None:
        looks, contrasts = self.analysis.looks, self.analysis.contrasts
        if not looks:
            return None
        most = max(contrast.stability.n for contrast in contrasts)
        rates = looks.rates(most, len(contrasts), self.analysis.alpha)
        return {"phrase": looks.phrase(), "own": looks.own, "other_seeds": looks.elsewhere, **asdict(rates)}

    def markdown(self) -> str:
        """Question, table, claim, notes and what was fixed."""
        plain = as_plain_markdown
        lines = [f"**{plain(self.study.question)}**", ""]
        if self.settings.name:
            lines += [f"At other settings than the study's file: {plain(self.settings.name)}", ""]
        lines += [as_markdown(self.analysis), ""]
        lines += [f"- {plain(line.strip())}" for line in (*summary(self.analysis), *self.notes)]
        fixed = (f"`{path}` {plain(str(value))}" for path, value in self.study.caveats().items())
        return without_secrets("\n".join([*lines, "", "Fixed: " + ", ".join(fixed)]) + "\n")


def judge(study: Study, uri: str, home: Path, settings: Settings | None = None, *, fresh: bool = False) -> Judged:
    """Judge the trials of the study's own plan that the ledger holds; partial results give partial answers.

    `settings` name the study's; by default they are those that its file declares. `fresh` judges on the replicates
    alone that were added since the last look.
    """
    settings = settings or settings_of(study)

    def digest(recipe: Recipe) -> str:
        return data_digest(recipe, home)

    ledger = Ledger(uri, judge=judged_when_read(home))
    try:
        everything = ledger.trials(study.name)
        records = of_plan(everything, places(trials(study, digest)))
        results = ledger.results_of(records, per_example=True)
        histories = ledger.histories(records, study.metric)
        parent = ledger.study(study.name, settings.digest) or (ledger.study(study.name) if settings.declared else None)
        known = history_of(ledger, parent).replication
        notes = [*held_note(known, study, everything, digest), *([fresh_note(known, study)] if fresh else [])]
    finally:
        ledger.close()
    curves = [
        Curve(
            arm=record.arm_name,
            replicate=record.replicate,
            x=[point.step for point in histories[record.run_id]],
            y=[point.value for point in histories[record.run_id]],
            outcome=record.outcome or "running",
        )
        for record in records
        if histories.get(record.run_id)
    ]
    broken = stream_notes(study, records)
    replicates = range(first_fresh(known, study), study.replicates + 1) if fresh else ()
    looks = None if fresh else looks_before(known, study)
    return Judged(
        study=study,
        analysis=analyse(study, results, looks=looks, broken=broken, replicates=replicates),
        records=records,
        curves=curves,
        notes=(*record_notes(study, records, broken), *notes),
        url=parent.url if parent else without_secrets(uri),
        settings=settings,
    )


def notes_of(judged: Judged) -> list[str]:
    """The lines below the table: claim, counts, notes."""
    return [*summary(judged.analysis), *judged.notes]


def text_of(judged: Judged) -> str:
    """What `show` prints where there is no terminal."""
    text = StringIO()
    show(judged, text)
    return text.getvalue()


def show(judged: Judged, file: IO[str] | None = None) -> None:
    """Print the verdict table, the claim and the notes to the terminal, or to `file`."""
    from rich.console import Console

    # A job's log and a pipe have no width; a table folded at 80 columns is no table. In a notebook rich would show
    # HTML, whatever it prints to.
    probe = Console(file=file, force_jupyter=False)
    console = probe if probe.is_terminal else Console(file=file, width=160, highlight=False, force_jupyter=False)
    if judged.settings.name:
        console.print(without_secrets(judged.title), markup=False, highlight=False)
    console.print(rich_table(judged.analysis))
    for line in notes_of(judged):
        console.print(without_secrets(line), markup=False, highlight=False, soft_wrap=not probe.is_terminal)
    console.print(f"\nMLflow: {judged.url}", markup=False, highlight=False, soft_wrap=True)


def write_markdown(judged: Judged, path: Path) -> Path:
    """Write the tables as Markdown."""
    return write_whole(path, judged.markdown())


def write_html(judged: Judged, path: Path) -> Path:
    """Write one self-contained page: no server, no network, no script from elsewhere."""
    effects = effects_figure(judged.analysis.contrasts, judged.analysis.exploratory)
    learning = learning_curves_figure(judged.curves, judged.study.metric, "step")
    rows = [
        f"<tr><td>{html.escape(record.arm_name)}</td><td>{record.replicate}</td>"
        f"<td>{html.escape(record.outcome or 'running')}</td>"
        f"<td>{record.metrics.get(judged.study.metric, float('nan')):.4g}</td>"
        f'<td><a href="{html.escape(record.url)}">run</a></td></tr>'
        for record in judged.records
    ]
    notes = "".join(
        f"<li>{html.escape(without_secrets(line))}</li>" for line in (*summary(judged.analysis), *judged.notes)
    )
    fixed = "".join(
        f"<tr><td>{html.escape(path)}</td><td>{html.escape(without_secrets(str(value)))}</td></tr>"
        for path, value in judged.study.caveats().items()
    )
    title = html.escape(without_secrets(f"{judged.title}: {judged.study.question}"))
    return write_whole(
        path,
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1>{_table(display_rows(judged.analysis))}<ul>{notes}</ul>"
        f"{effects.to_html(full_html=False, include_plotlyjs=True)}"
        f"{learning.to_html(full_html=False, include_plotlyjs=False)}"
        f"<h2>Every trial</h2><table><tr><th>arm<th>replicate<th>outcome"
        f"<th>{html.escape(judged.study.metric)}<th>MLflow</tr>"
        f'{"".join(rows)}</table><h2>Fixed in every arm</h2><table class="quiet">{fixed}</table></html>',
    )


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    """The rows of a table as HTML."""
    if not rows:
        return "<p>No contrasts yet.</p>"
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in rows[0])
    cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in row.values()) for row in rows)
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in cells)}</table>"
