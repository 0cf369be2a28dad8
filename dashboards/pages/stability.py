"""Stability: how often and when each arm failed to train, against its baseline, by `?study=NAME`."""

from __future__ import annotations

import streamlit as st

from paribus.report.drawing.figures.stability_views import (
    arm_rows,
    contrast_rows,
    failing_arms,
    folded_sentence,
    survival_figure,
)
from paribus_dashboards.ledger_view import StudyView
from paribus_dashboards.parts import plain, sentence
from paribus_dashboards.picture import show_still
from paribus_dashboards.shown_table import show_table
from paribus_dashboards.study_page import judged, study_page


def main(uri: str, view: StudyView) -> None:
    """Survival by step, the arms that fail, and their contrasts."""
    if (analysis := judged(view)) is None:
        return
    st.header("Stability")
    ended = analysis.num_own_ends
    if not ended:
        st.info("No trial came to an end of its own yet: what failed outside of training is on the page Trials.")
        return
    failing = failing_arms(analysis)
    if not failing:
        st.markdown(f"None of the {ended} trials that came to an end of their own diverged, died or is at chance.")
        _show_rules(analysis.notes)
        return
    failed = sum(len(each.failed_replicates) for each in failing)
    st.markdown(f"**{failed} of {ended} trials failed to train, in {len(failing)} of {len(analysis.arms)} arms.**")
    others = len(analysis.arms) - len(failing)
    if (figure := survival_figure(failing, 1 - analysis.alpha, others)) is not None:
        show_still(figure, "survival")
        st.caption("A trial that ended well, or was cut off, counts until its last step (Kaplan and Meier).")
    show_table(arm_rows(analysis), "failing-arms", "Arms of which a trial failed to train, with the share that did not")
    st.subheader("Against the baseline")
    if rows := contrast_rows(analysis.contrasts):
        show_table(rows, "stability", "How often arms failed to train, against their baselines")
    if folded := folded_sentence(analysis):
        st.caption(plain(sentence(folded)))
    _show_rules(analysis.notes)


def _show_rules(notes: tuple[str, ...]) -> None:
    """What no failure excludes, as the report says it."""
    for note in notes:
        if "fail" in note and "exce" in note:
            st.caption(plain(sentence(note)))


study_page("Stability", main)
