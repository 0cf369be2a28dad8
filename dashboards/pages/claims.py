"""Claims: what sources say beside what was found, over the whole ledger."""

from __future__ import annotations

import streamlit as st

from paribus.report.views.across import claim_rows, claims_sentence
from paribus_dashboards.ledger_page import ledger_page
from paribus_dashboards.ledger_view import concluded
from paribus_dashboards.parts import plain, sentence
from paribus_dashboards.shown_table import show_table


def main(uri: str) -> None:
    """Every claim with its outcome."""
    studies = concluded(uri)
    if not (said := claims_sentence(studies)):
        st.info(
            "No study of the ledger claims anything: give one `claim=Claim(text, source=...)`, and it is judged too."
        )
        return
    st.markdown(f"**{plain(sentence(said))}**")
    show_table(
        claim_rows(studies),
        "claims",
        "Each claim: its outcome, what the source says, and every contrast that was found",
        badges=("outcome",),
        links={"page": "study"},
    )
    st.caption("A claim is judged in the study's own setting, which its page holds beside the source's.")


ledger_page("Claims", main)
