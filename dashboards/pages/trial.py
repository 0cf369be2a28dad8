"""Trial: one trial by `?trial=ID`: how it ended, curves, why it failed, recipe beside its baseline's, attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from paribus.report.drawing.figures.curve_lines import curve_lines, curve_rows
from paribus.report.export import final_numbers
from paribus.report.progress import show_ago
from paribus.report.reading import LedgerError
from paribus.report.searches.search_reading import is_search
from paribus.report.study_report import TrialRow, state_of
from paribus.report.views.curves import CURVES
from paribus.report.views.trial_detail import PRINTED_FILES, attempt_rows, baseline_of, crash_logs, facts, recipe_lines
from paribus_dashboards.address import address_of, choose
from paribus_dashboards.frame import show_row
from paribus_dashboards.ledger_view import StudyView, reader, studies, study_view, tracking_uri, trial_of
from paribus_dashboards.note import show_note
from paribus_dashboards.parts import badge, begin, page_of, plain, say_down
from paribus_dashboards.picture import show_picture
from paribus_dashboards.shown_table import show_table

if TYPE_CHECKING:
    from paribus.report.study_report import TrialRecord


def main() -> None:
    """The page; a trial of a search has no baseline and no row of its study's pages."""
    uri, trial_id = tracking_uri(), st.query_params.get("trial", "")
    begin(f"Trial {trial_id[:12]}".strip())
    try:
        record = trial_of(uri, trial_id)
        if record is None:
            st.title("Trial")
            st.warning(plain(f"The ledger has no trial, or several, whose id begins with {trial_id!r}."))
            return
        show_trial(uri, record)
    except LedgerError as error:
        st.title("Trial")
        say_down(error, uri)


def show_trial(uri: str, record: TrialRecord) -> None:
    """What there is of it, what is asked for first: how it ended and why."""
    study = next((each for each in studies(uri) if each.run_id == record.parent), None)
    if study is None or is_search(study):
        if study is not None:
            st.page_link(page_of(study), label=plain(study.title), query_params=address_of(study))
        return show_parts(uri, record, None, None)
    show_row(study)
    view = study_view(uri, study)
    row = next((each for each in view.report.begun if each.trial_id == record.trial_id), None)
    show_parts(uri, record, view, row)


def show_parts(uri: str, record: TrialRecord, view: StudyView | None, row: TrialRow | None) -> None:
    """Outcome, reason and log, numbers, curves, recipe, attempts."""
    state = row.state if row else state_of(record)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(record.name), width="content")
        st.markdown(badge(state), width="content")
        st.space("stretch")
        ended = f"ended {show_ago(record.ended_ms)} · " if record.outcome else ""
        st.caption(f"{ended}[MLflow]({record.url}) · [files]({record.files_url})", width="content")
    if view is not None:
        st.caption(plain(f"of the study {view.record.title}"))
    if record.reason:
        st.markdown(plain(record.reason))
    if state in ("failed", "interrupted"):
        show_log(uri, record)
    if view is not None and (numbers := final_numbers(record, view.report)):
        st.header("Results")
        show_table(numbers, f"trial-{record.trial_id[:12]}-results", "A row a number that the trial ended with")
    if row is not None:
        show_curve(uri, row)
    show_recipe(record, baseline_of(row, view.report) if row and view else None)
    show_attempts(record)
    show_printed(uri, record)
    st.header("Notes")
    show_note(uri, record.run_id)


def show_log(uri: str, record: TrialRecord) -> None:
    """The file that says why it failed, its end first."""
    name, text = reader(uri).text_of(record.run_id, crash_logs(record))
    if text:
        st.caption(plain(name))
        st.code(text, language=None, wrap_lines=True)
    else:
        st.caption("It left no log of a failure in the ledger.")


def show_printed(uri: str, record: TrialRecord) -> None:
    """What its process printed, its end first: parts of the user's may have, and libraries that warn."""
    name, text = reader(uri).text_of(record.run_id, PRINTED_FILES)
    if text:
        st.header("Printed")
        st.caption(plain(name))
        st.code(text, language=None, wrap_lines=True)


def show_curve(uri: str, row: TrialRow) -> None:
    """The learning curve of one metric."""
    logged = {name: label for name, label in CURVES.items() if name in row.logged}
    if not logged:
        return
    st.header("Curves")
    metric = choose(st.selectbox, "Metric", logged, key="curve", width=260)
    curves = reader(uri).curves([row], metric)
    if picture := curve_lines(curves, CURVES[metric], "training steps"):
        show_picture(picture, f"curve-{metric}", curve_rows(curves))


def show_recipe(record: TrialRecord, baseline: TrialRow | None) -> None:
    """In what it differs from the baseline's trial of the same replicate, and all else on demand."""
    other = baseline.record if baseline is not None else None
    lines = recipe_lines(record, other)
    st.header("Recipe")
    different = [line for line in lines if line.differs]
    if different:
        st.markdown(f"**In what it differs from {plain(other.name if other else '')}**")
        rows = [{"field": line.path, "here": line.value, "baseline": line.baseline} for line in different]
        show_table(rows, f"trial-{record.trial_id[:12]}-differences", "A row a field: its value here and there")
    if same := [f"- `{line.path}` = {plain(line.value)}" for line in lines if not line.differs]:
        with st.expander(f"The other {len(same)} fields" if different else f"All {len(same)} fields"):
            st.markdown("\n".join(same))


def show_attempts(record: TrialRecord) -> None:
    """Each attempt, and where and with what it was made."""
    st.header("Attempts")
    if rows := attempt_rows(record):
        show_table(rows, f"trial-{record.trial_id[:12]}-attempts", "A row an attempt: where, how long, how it ended")
    told = facts(record)
    st.markdown("\n".join(f"- **{name}**: {plain(text)}" for name, text in told.items()))


main()
