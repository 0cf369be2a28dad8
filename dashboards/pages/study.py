"""Study: one study whole, by `?study=NAME`: verdicts, effects, curves, stability, trials and what was fixed."""

from __future__ import annotations

import streamlit as st

from paribus.report.progress import progress_of
from paribus.report.reading import LedgerError, StudyRecord
from paribus.report.search_reading import is_search
from paribus_dashboards import study_parts as show
from paribus_dashboards.kept_page import WATCH_S, read_or_kept
from paribus_dashboards.ledger_view import (
    LIVE_S,
    StudyView,
    stamp,
    studies,
    study_view,
    tracking_uri,
    trials_of,
)
from paribus_dashboards.parts import FIRST_STUDY, at_settings, link, plain, say_down, show_progress
from paribus_dashboards.search_parts import show_how_found
from paribus_dashboards.trial_parts import show_curves, show_failed, show_trials


def main() -> None:
    """The page; where the ledger is down, what this session read last stays on the screen."""
    view = read_or_kept("Study", chosen, study_view)
    if view is None:
        return
    uri = tracking_uri()
    show.show_heading(view)
    st.fragment(watch, run_every=LIVE_S if view.record.live else WATCH_S)(uri, view)
    show_sections(uri, view)


def chosen(records: tuple[StudyRecord, ...], name: str, settings: str) -> StudyRecord | None:
    """The study that the address names, at the settings that it names; else one to choose; None if there is none."""
    by_name = {record.name: record for record in reversed(records) if not is_search(record)}
    if not records:
        st.title("Study")
        st.markdown(FIRST_STUDY)
        return None
    if name not in by_name:
        st.title("Study")
        if search := next((record for record in records if record.name == name), None):
            st.warning(plain(f"{name!r} is a search, and no study."))
            link(search, search.name)
        elif name:
            st.warning(plain(f"The ledger has no study called {name!r}. Choose one that it has."))
        picked = st.selectbox("Study", list(by_name), index=None, placeholder="choose a study")
        if picked:
            st.query_params["study"] = picked
            st.rerun()
        return None
    own = [record for record in records if record.name == name and not is_search(record)]
    return at_settings(own, settings)


def watch(uri: str, view: StudyView) -> None:
    """The live part: progress, and the whole page anew when the study has got further."""
    try:
        now = next((record for record in studies(uri) if record.run_id == view.record.run_id), view.record)
        if stamp(now) != stamp(view.record):
            st.rerun()
        if now.live or now.num_planned > sum(now.counts.values()):
            show_progress(progress_of(now, trials_of(uri, now).rows))
    except LedgerError as error:
        say_down(error, uri, show.kept_sentence(view))


def show_sections(uri: str, view: StudyView) -> None:
    """Everything below the progress bar. A section that can't be read says so, and the others stay."""
    analysis = view.report.analysis
    if analysis is not None:
        show.show_effects(uri, view, analysis, show.choose_metric(analysis))
        show.show_factors(analysis)
        show.show_arms(view, analysis)
    else:
        st.warning(plain(f"There are no verdicts: {view.report.trouble}."))
    show_how_found(uri, view)
    try:
        show_curves(uri, view)
    except LedgerError as error:
        st.info(plain(f"The learning curves can't be read now: {error}"))
    if analysis is not None:
        show.show_stability(analysis)
    show_failed(view)
    show_trials(view)
    show.show_caveats(view)


main()
