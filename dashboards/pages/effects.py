"""Effects: what each factor does over all arms, by `?study=NAME`."""

from __future__ import annotations

import streamlit as st

from paribus_dashboards.ledger_view import StudyView
from paribus_dashboards.study_page import judged, study_page
from paribus_dashboards.study_parts import show_factors


def main(uri: str, view: StudyView) -> None:
    """The effects, where the design tells them apart."""
    st.header("Effects of factors")
    if (analysis := judged(view)) is not None:
        show_factors(analysis)


study_page("Effects", main)
