"""Search: one search whole, by `?search=NAME`: what it found and what stood up, its history, its space, who was cut."""

from __future__ import annotations

import streamlit as st

from paribus.report.progress import search_progress
from paribus.report.reading import LedgerError, StudyRecord
from paribus.report.searches.search_reading import SearchReport, is_search, is_tuning
from paribus_dashboards import search_parts as show
from paribus_dashboards.frame import HOME, file_of
from paribus_dashboards.kept_page import WATCH_S, read_or_kept, show_title
from paribus_dashboards.ledger_view import LIVE_S, confirmed, stamp, studies, tracking_uri
from paribus_dashboards.parts import at_settings, badge, link, plain, say_down, show_progress
from paribus_dashboards.search_figures import show_front, show_importance, show_timeline


def main() -> None:
    """The page; where the ledger is down, what this session read last stays on the screen."""
    shown = read_or_kept("Search", chosen, lambda uri, record: (record, *confirmed(uri, record)))
    if shown is None:
        return
    uri, (record, report, study) = tracking_uri(), shown
    st.page_link(file_of(HOME), label="All studies", icon=":material/arrow_back:")
    show_title(record, badge("exploratory", "search, exploratory"))
    st.fragment(watch, run_every=LIVE_S if record.live else WATCH_S)(uri, record, report, study)
    if is_tuning(record):
        show.show_tuned_study(uri, record)
    show.show_best(report, study)
    show.show_figures(report)
    show.show_rungs(report)
    show_front(report)
    matters = st.container()
    show_timeline(record, report)
    show.show_settings(report)
    show.show_space(report)
    with matters:  # it takes seconds the first time, and what is below it waits for nothing
        show_importance(record, report)


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
