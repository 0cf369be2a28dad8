"""Study: one study whole, by `?study=NAME`: verdicts, effects, curves, stability, trials and what was fixed."""

from __future__ import annotations

import streamlit as st
import study_parts as show
from ledger_view import LIVE_S, StudyView, ledger, stamp, studies, study_view, tracking_uri, trials_of
from parts import FIRST_STUDY, begin, say_down, show_progress
from progress import progress_of
from trial_parts import show_curves, show_failed, show_trials

from paribus.tracking.errors import LedgerError
from paribus.tracking.ledger_records import StudyRecord

WATCH_S = 5.0
KEPT = "kept_views"


def main() -> None:
    """The page; where the ledger is down, what this session read last stays on the screen."""
    uri = tracking_uri()
    name = st.query_params.get("study", "")
    begin(name or "Study")
    st.page_link("home.py", label="All studies", icon=":material/arrow_back:")
    kept: dict[str, StudyView] = st.session_state.setdefault(KEPT, {})
    try:
        record = chosen(studies(uri), name)
        if record is None:
            return
        with st.spinner(f"Reading {record.name} ..."):
            kept[record.name] = view = study_view(uri, record)
    except LedgerError as error:
        if name not in kept:
            wait_for(uri, error)
            return
        view = kept[name]
    show.show_heading(view)
    st.fragment(watch, run_every=LIVE_S if view.record.live else WATCH_S)(uri, view)
    show_sections(uri, view)


def chosen(records: tuple[StudyRecord, ...], name: str) -> StudyRecord | None:
    """The study that the address names, else one to choose; None where there is none to show."""
    by_name = {record.name: record for record in records}
    if not records:
        st.title("Study")
        st.markdown(FIRST_STUDY)
        return None
    if name not in by_name:
        st.title("Study")
        if name:
            st.warning(f"The ledger has no study called {name!r}. Choose one that it has.")
        picked = st.selectbox("Study", list(by_name), index=None, placeholder="choose a study")
        if picked:
            st.query_params["study"] = picked
            st.rerun()
        return None
    return by_name[name]


@st.fragment(run_every=LIVE_S)
def wait_for(uri: str, error: LedgerError) -> None:
    """Say that the ledger is down until it is not."""
    if ledger(uri).rest.healthy():
        st.rerun()
    st.title("Study")
    say_down(error, uri)


def watch(uri: str, view: StudyView) -> None:
    """The live part: progress, and the whole page anew when the study has got further."""
    try:
        now = next((record for record in studies(uri) if record.name == view.record.name), view.record)
        if stamp(now) != stamp(view.record):
            st.rerun()
        if now.live or now.num_planned > sum(now.counts.values()):
            show_progress(progress_of(now, trials_of(uri, now)[0]))
    except LedgerError as error:
        say_down(error, uri, show.kept_sentence(view))


def show_sections(uri: str, view: StudyView) -> None:
    """Everything below the progress bar. A section that can't be read says so, and the others stay."""
    if view.analysis is not None:
        show.show_effects(uri, view, view.analysis, show.choose_metric(view.analysis))
    else:
        st.warning(f"There are no verdicts: {view.trouble}.")
    try:
        show_curves(uri, view)
    except LedgerError as error:
        st.info(f"The learning curves can't be read now: {error}")
    if view.analysis is not None:
        show.show_stability(view.analysis)
    show_failed(view)
    show_trials(view)
    show.show_caveats(view)


main()
