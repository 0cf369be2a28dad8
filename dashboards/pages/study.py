"""Study: one study at a glance, by `?study=NAME`: the sentence, the picture, arms, numbers and what was fixed."""

from __future__ import annotations

import streamlit as st

from paribus_dashboards import study_parts as show
from paribus_dashboards.ledger_view import StudyView
from paribus_dashboards.note import show_note
from paribus_dashboards.search_parts import show_how_found
from paribus_dashboards.study_page import judged, study_page
from paribus_dashboards.trial_parts import show_failed


def main(uri: str, view: StudyView) -> None:
    """What was found, first; then what it rests on."""
    show.show_heading(view)
    if (analysis := judged(view)) is not None:
        contrasts = show.show_effects(analysis, show.choose_metric(analysis))
        show.show_claim(analysis)
        show.show_warnings(view)
        show.show_arms(view)
        show.show_numbers(uri, view, analysis, contrasts)
    show_failed(view)
    show_how_found(uri, view)
    show.show_caveats(view)
    st.header("Notes")
    show_note(uri, view.record.run_id)


study_page("Study", main)
