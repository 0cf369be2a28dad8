"""Costs: the hours that each conclusion took, over the whole ledger."""

from __future__ import annotations

import streamlit as st

from paribus.report.views.across import cost_rows, costs_sentence
from paribus_dashboards.ledger_page import ledger_page
from paribus_dashboards.ledger_view import concluded
from paribus_dashboards.parts import plain, sentence
from paribus_dashboards.shown_table import show_table


def main(uri: str) -> None:
    """Every study by what it cost."""
    studies = concluded(uri)
    if not (said := costs_sentence(studies)):
        st.info("No judged study of the ledger tells its time yet.")
        return
    st.markdown(f"**{plain(sentence(said))}**")
    show_table(
        cost_rows(studies),
        "costs",
        "Each study: its conclusions, what they cost, and what of it came to nothing",
        links={"page": "study"},
        help={
            "conclusions": "Contrasts that are better, worse or equivalent",
            "to find what is compared": "Of it: the search that the study confirms, or the tuning of its arms",
            "came to nothing": "Of it: failures without a result, attempts that were cut off, stopped trials",
        },
    )
    st.caption("A search that no study confirms led to no conclusion: its hours are in none of these rows.")


ledger_page("Costs", main)
