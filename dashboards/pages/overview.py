"""Home, at `/`: every study and search, how far each is and what it came to."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from paribus.report.progress import Progress, counted, progress_of, show_ago
from paribus.report.reading import LedgerError, LedgerUnreachable, StudyRecord
from paribus.report.searches.search_reading import is_search, is_tuning, kind_of, relatives
from paribus.report.study_report import standing_of
from paribus_dashboards.address import address_of
from paribus_dashboards.home_parts import asked_for, heads, show_totals, show_troubles
from paribus_dashboards.ledger_view import LIVE_S, judgement, studies, tracking_uri, trials_of
from paribus_dashboards.parts import (
    FIRST_STUDY,
    badge,
    begin,
    link,
    page_of,
    plain,
    say_down,
    show_progress,
    verdict_badges,
)
from paribus_dashboards.search_parts import search_now, tuning_now

PER_PAGE = 10
# A page link has the size of running text; a card's name is its heading.
NAMES_LARGE = (
    '<style>[class*="st-key-name-"] a { padding-left: 0 } [class*="st-key-name-"] p { font-size: 1.25rem }</style>'
)


@st.fragment(run_every=LIVE_S)
def home() -> None:
    """The studies; drawn again every few seconds, at the cost of two small requests while nothing moves."""
    uri = tracking_uri()
    st.html(NAMES_LARGE)
    st.title("Studies")
    try:
        records = studies(uri)
        if not records:
            st.markdown(FIRST_STUDY)
            return
        show_totals(records)
        troubles = st.container()
        show_studies(uri, records)
        with troubles:
            show_troubles(uri, records)
    except LedgerError as error:
        say_down(error, uri)


def show_studies(uri: str, records: tuple[StudyRecord, ...]) -> None:
    """A card per study. What is known at once is drawn first; what takes reading trials fills in behind it."""
    wanted = asked_for(heads(records))
    if not wanted:
        st.info("No study or search is like that: take words or the state away.")
    shown = wanted[: st.session_state.get("num_shown", PER_PAGE)]
    places = [(record, *show_card(record, records)) for record in shown]
    if len(shown) < len(wanted) and st.button(f"Show more ({len(wanted) - len(shown)} left)"):
        st.session_state["num_shown"] = len(shown) + PER_PAGE
        st.rerun(scope="fragment")
    for record, bar, verdicts in places:
        progress, text = now_of(uri, record)
        with bar:
            show_progress(progress)
        verdicts.markdown(text)
        kept()[record.run_id] = (progress, text)


def now_of(uri: str, record: StudyRecord) -> tuple[Progress, str]:
    """How far it is, and what it came to: a study's verdicts, a search's best and whether that stood up."""
    if is_tuning(record):
        return tuning_now(uri, [each for each in studies(uri) if each.name == record.name and is_tuning(each)])
    if is_search(record):
        return search_now(uri, record)
    progress = progress_of(record, trials_of(uri, record).rows) if record.live else counted(record)
    return progress, verdicts_of(uri, record)


def verdicts_of(uri: str, record: StudyRecord) -> str:
    """A study in a sentence and its verdicts, in Markdown, or why there are none; what can't be read hides no other."""
    try:
        found = judgement(uri, record)
    except LedgerUnreachable:
        raise
    except LedgerError as error:
        return plain(str(error))
    badges = verdict_badges(found.counts, found.claim, found.looks)
    parts = [plain(part) for part in (found.headline, found.trouble) if part] + [badges]
    return "\n\n".join(part for part in parts if part) or ":gray[no verdicts yet]"


def kept() -> dict[str, tuple[Progress, str]]:
    """What this session's cards showed last, so that a card says the same until there is something new."""
    found: dict[str, tuple[Progress, str]] = st.session_state.setdefault("kept_cards", {})
    return found


def show_card(record: StudyRecord, records: tuple[StudyRecord, ...]) -> tuple[DeltaGenerator, DeltaGenerator]:
    """One study; returns the places of its progress and of its verdicts."""
    title, question = record.title, record.question
    if is_tuning(record):
        title, question = record.name, "Which setting suits each arm best?"
    with st.container(border=True, gap="xsmall", key=f"card-{record.run_id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(key=f"name-{record.run_id}", width="content"):
                st.page_link(page_of(record), label=f"**{plain(title)}**", query_params=address_of(record))
            st.markdown(badge(standing_of(record)), width="content")
            if is_search(record):
                st.markdown(badge("exploratory", f"{kind_of(record)}, exploratory"), width="content")
            st.space("stretch")
            st.caption(f"{show_ago(record.updated_ms)} · [MLflow]({record.url})", width="content")
        st.markdown(plain(question) or ":gray[no question stated]")
        progress, text = kept().get(record.run_id, (counted(record), ":gray[reading the results ...]"))
        verdicts = st.empty()
        verdicts.markdown(text)
        bar = st.empty()
        with bar:
            show_progress(progress)
        for other, label in relatives(record, records):
            link(other, label)
    return bar, verdicts


begin("Studies")
home()
