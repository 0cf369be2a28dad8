"""What each page of a study does: find the study, say how far it is, lead to its other pages, outlast the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from paribus.report.progress import progress_of
from paribus.report.reading import LedgerError, StudyRecord
from paribus.report.searches.search_reading import is_search
from paribus_dashboards.frame import show_row
from paribus_dashboards.kept_page import WATCH_S, read_or_kept, show_title
from paribus_dashboards.ledger_view import LIVE_S, StudyView, stamp, studies, study_view, tracking_uri, trials_of
from paribus_dashboards.parts import FIRST_STUDY, at_settings, link, plain, say_down, show_progress

if TYPE_CHECKING:
    from paribus.report.study_report import StudyAnalysis


def study_page(title: str, show: Callable[[str, StudyView], None]) -> None:
    """The study that the address names, by `show(uri, view)` below its name, its state and the row of its pages.

    The page is drawn anew when the study has got further. Where the ledger is down, what this session read last stays;
    what `show` itself then can't read is told in its place.
    """
    view = read_or_kept("Study", chosen, study_view, page=title)
    if view is None:
        return
    uri = tracking_uri()
    show_row(view.record)
    show_title(view.record)
    st.fragment(watch, run_every=LIVE_S if view.record.live else WATCH_S)(uri, view)
    try:
        show(uri, view)
    except LedgerError as error:
        st.info(plain(f"The rest of this page can't be read now: {error}"))


def judged(view: StudyView) -> StudyAnalysis | None:
    """The study's analysis; None where there is none, and then the page says why."""
    if view.report.analysis is None:
        st.warning(plain(f"There are no verdicts: {view.report.trouble}."))
    return view.report.analysis


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
        kept = f"What you see was read at {time.strftime('%H:%M:%S', time.localtime(view.read_s))}."
        say_down(error, uri, kept)
