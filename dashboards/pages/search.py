"""Search: one search whole, by `?search=NAME`: what it found and what stood up, its history, its space, who was cut."""

from __future__ import annotations

import time

import streamlit as st

from paribus.report.progress import search_progress, show_ago
from paribus.report.reading import LedgerError, StudyRecord
from paribus.report.search_reading import SearchReport, is_search, is_tuning
from paribus.report.study_report import standing_of
from paribus_dashboards import search_parts as show
from paribus_dashboards.ledger_view import LIVE_S, confirmed, reader, stamp, studies, tracking_uri
from paribus_dashboards.parts import at_settings, badge, begin, link, plain, say_down, show_progress

WATCH_S = 5.0
KEPT = "kept_searches"
Shown = tuple[StudyRecord, SearchReport, StudyRecord | None]


def main() -> None:
    """The page; where the ledger is down, what this session read last stays on the screen."""
    uri = tracking_uri()
    name, settings = st.query_params.get("search", ""), st.query_params.get("settings", "")
    begin(name or "Search")
    st.page_link("home.py", label="All studies", icon=":material/arrow_back:")
    kept: dict[str, Shown] = st.session_state.setdefault(KEPT, {})
    try:
        record = chosen(studies(uri), name, settings)
        if record is None:
            return
        with st.spinner(f"Reading {plain(record.title)} ..."):
            kept[f"{name} {settings}"] = (record, *confirmed(uri, record))
    except LedgerError as error:
        if f"{name} {settings}" not in kept:
            wait_for(uri, error, time.monotonic())
            return
    record, report, study = kept[f"{name} {settings}"]
    show_heading(record)
    st.fragment(watch, run_every=LIVE_S if record.live else WATCH_S)(uri, record, report, study)
    if is_tuning(record):
        show.show_tuned_study(uri, record)
    show.show_best(report, study)
    show.show_figures(report)
    show.show_rungs(report)
    show.show_settings(report)
    show.show_space(report)


def chosen(records: tuple[StudyRecord, ...], name: str, settings: str) -> StudyRecord | None:
    """The search that the address names, at the settings that it names; else one to choose; None if there is none."""
    searches = [record for record in records if is_search(record)]
    own = [record for record in searches if record.name == name]
    if own:
        return at_settings(own, settings, what="Arm" if is_tuning(own[0]) else "Settings")
    st.title("Search")
    if study := next((record for record in records if record.name == name), None):
        st.warning(plain(f"{name!r} is a study, and no search."))
        link(study, study.name)
    elif name:
        st.warning(plain(f"The ledger has no search called {name!r}."))
    if not searches:
        st.markdown("The ledger holds no search yet: `paribus.Search` in the place of `Study` makes one.")
        return None
    names = list(dict.fromkeys(record.name for record in searches))
    picked = st.selectbox("Search", names, index=None, placeholder="choose a search")
    if picked:
        st.query_params.from_dict({"search": picked})
        st.rerun()
    return None


def show_heading(record: StudyRecord) -> None:
    """Name, question and state."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(record.title), width="content")
        st.markdown(f"{badge(standing_of(record))} {badge('exploratory', 'search, exploratory')}", width="content")
        st.space("stretch")
        st.caption(f"{show_ago(record.updated_ms)} · [MLflow]({record.url})", width="content")
    if record.question:
        st.markdown(f"#### {plain(record.question)}")


@st.fragment(run_every=LIVE_S)
def wait_for(uri: str, error: LedgerError, since_s: float) -> None:
    """Say that the ledger can't be read, and try again every few seconds once it answers."""
    if time.monotonic() - since_s > LIVE_S / 2 and reader(uri).answers():
        st.rerun()
    st.title("Search")
    say_down(error, uri)


def watch(uri: str, record: StudyRecord, report: SearchReport, study: StudyRecord | None) -> None:
    """The live part: progress, and the whole page anew when the search or its confirmation has got further."""
    show_progress(search_progress(report))
    known = {each.run_id: each for each in (record, study) if each is not None}
    try:
        now = {each.run_id: each for each in studies(uri)}
    except LedgerError as error:
        say_down(error, uri, "What you see was read before.")
        return
    if any(stamp(now.get(run_id, each)) != stamp(each) for run_id, each in known.items()):
        st.rerun()


main()
