"""What the pages of one study and of one search share: which it is, and what stays while the ledger is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from paribus.report.progress import show_ago
from paribus.report.reading import LedgerError, StudyRecord
from paribus.report.study_report import standing_of
from paribus.report.texts import turn_notes
from paribus_dashboards.ledger_view import LIVE_S, reader, studies, tracking_uri
from paribus_dashboards.parts import badge, begin, plain, say_down, sentence

# How often a page whose study does not run looks for news.
WATCH_S = 5.0
Shown = TypeVar("Shown")
Choose = Callable[[tuple[StudyRecord, ...], str, str], StudyRecord | None]


def read_or_kept(
    kind: str, choose: Choose, read: Callable[[str, StudyRecord], Shown], *, page: str = ""
) -> Shown | None:
    """What `read` makes of the record that the address names; where the ledger is down, what this session read last.

    `kind` is `Study` or `Search`, in lower case the address' word; `page` is the page's title where it is another.
    `choose` finds the record by name and settings, or shows what there is to choose. None where there is nothing to
    show.
    """
    uri, word = tracking_uri(), kind.lower()
    name, settings = st.query_params.get(word, ""), st.query_params.get("settings", "")
    begin(" · ".join(dict.fromkeys([name or kind, page or kind])))
    kept: dict[str, Shown] = st.session_state.setdefault(f"kept_{word}", {})
    key = f"{name} {settings}"
    try:
        record = choose(studies(uri), name, settings)
        if record is None:
            return None
        with st.spinner(f"Reading {plain(record.title)} ..."):
            kept[key] = read(uri, record)
    except LedgerError as error:
        if key not in kept:
            _wait_for(kind, uri, error, time.monotonic())
            return None
    return kept[key]


def show_title(record: StudyRecord, *badges: str) -> None:
    """Name, state and age in one line, and the question below."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(record.title), width="content")
        st.markdown(" ".join([badge(standing_of(record)), *badges]), width="content")
        st.space("stretch")
        st.caption(f"{show_ago(record.updated_ms)} · [MLflow]({record.url})", width="content")
    for note in turn_notes(record):
        st.info(plain(sentence(note)))
    if record.question:
        st.markdown(plain(record.question))


@st.fragment(run_every=LIVE_S)
def _wait_for(kind: str, uri: str, error: LedgerError, since_s: float) -> None:
    """Say that the ledger can't be read, and try again every few seconds once it answers."""
    if time.monotonic() - since_s > LIVE_S / 2 and reader(uri).answers():
        st.rerun()
    st.title(kind)
    say_down(error, uri)
