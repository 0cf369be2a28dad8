"""A note on a study or a trial, which is kept in MLflow, in the description of its run."""

from __future__ import annotations

import streamlit as st

from paribus.report.reading import LedgerError
from paribus_dashboards.ledger_view import note_of, reader
from paribus_dashboards.parts import plain


def show_note(uri: str, run_id: str) -> None:
    """What people noted, and a place to write; what is written is there for all who look."""
    noted = note_of(uri, run_id)
    if noted:
        with st.container(border=True, key="noted"):
            st.markdown(plain(noted).replace("\n", "  \n"))
    with st.popover("Edit the note" if noted else "Add a note", icon=":material/edit_note:"), st.form("note"):
        text = st.text_area(
            "Note", noted, max_chars=2_000, help="Kept in MLflow, in the description of the run; reports have it too"
        )
        if st.form_submit_button("Keep"):
            _keep(uri, run_id, text)


def _keep(uri: str, run_id: str, text: str) -> None:
    try:
        reader(uri).keep_note(run_id, text)
    except LedgerError as error:
        st.warning(plain(f"The note was not kept: {error}"))
        return
    note_of.clear()
    st.rerun()
