"""What each page over all studies does: its title, an empty ledger, and one that is away."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from paribus.report.reading import LedgerError
from paribus_dashboards.ledger_view import LIVE_S, reader, studies, tracking_uri
from paribus_dashboards.parts import FIRST_STUDY, begin, say_down


def ledger_page(title: str, show: Callable[[str], None]) -> None:
    """A page that `show(uri)` draws below its title; what can't be read is said, and tried again once it answers."""
    begin(title)
    st.title(title)
    uri = tracking_uri()
    try:
        if not studies(uri):
            st.markdown(FIRST_STUDY)
            return
        with st.spinner("Reading what the studies came to ..."):
            show(uri)
    except LedgerError as error:
        say_down(error, uri)
        st.fragment(_wait, run_every=LIVE_S)(uri)


def _wait(uri: str) -> None:
    if reader(uri).answers():
        st.rerun()
