"""Claims: what sources say beside what was found, over the whole ledger."""

from __future__ import annotations

import streamlit as st

from paribus.report.views.across import claim_rows, claims_sentence, found_lines, outcome_of, source_of
from paribus_dashboards.ledger_page import ledger_page
from paribus_dashboards.ledger_view import concluded
from paribus_dashboards.parts import badge, plain, sentence
from paribus_dashboards.shown_table import show_downloads


def main(uri: str) -> None:
    """Every claim with its outcome."""
    studies = concluded(uri)
    if not (said := claims_sentence(studies)):
        st.info(
            "No study of the ledger claims anything: give one `claim=Claim(text, source=...)`, and it is judged too."
        )
        return
    st.markdown(f"**{plain(sentence(said))}**")
    for each in studies:
        if each.claim:
            with st.container(border=True, gap="xsmall"):
                outcome = outcome_of(each)
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(badge(outcome), width="content")
                    st.markdown(f"[{plain(each.title)}]({each.address})", width="content")
                st.markdown(plain(f"“{each.claim.get('text', '')}” — {source_of(each.claim)}"))
                st.markdown("\n".join(f"- {plain(line)}" for line in found_lines(each)))
    show_downloads(claim_rows(studies), "claims")
    st.caption("A claim is judged in the study's own setting, which its page holds beside the source's.")


ledger_page("Claims", main)
