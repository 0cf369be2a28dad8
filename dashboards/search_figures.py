"""The Search page's figures beyond its history: several objectives, which fields mattered, who was trained when."""

from __future__ import annotations

import time

import streamlit as st

from paribus.report.drawing.figures.search_views import front_figure, importance_figure, map_figure, timeline_figure
from paribus.report.reading import StudyRecord
from paribus.report.searches.search_importance import EXPLORATORY, Method, importance_rows
from paribus.report.searches.search_reading import SearchReport
from paribus_dashboards.address import choose
from paribus_dashboards.ledger_view import importance_of
from paribus_dashboards.parts import plain, sentence
from paribus_dashboards.picture import show_still
from paribus_dashboards.shown_table import show_table


def show_front(report: SearchReport) -> None:
    """The objectives of a search that has several, against the first of them."""
    if not report.search.against:
        return
    st.header("Objectives")
    if not report.front:
        st.info("No setting was trained to its end and keeps the constraints, so that there is no front yet.")
        return
    against = choose(st.segmented_control, "Against", list(report.search.against), key="against", required=True)
    show_still(front_figure(report, against), f"front-{against}")
    st.caption("One run of each setting: what is on the front by luck shows when the search's confirmation is judged.")


def show_importance(record: StudyRecord, report: SearchReport) -> None:
    """Which fields mattered, and the two that did most, over all settings."""
    st.header("Which fields mattered")
    found = importance_of(record, report, "PED-ANOVA")
    if found.refused:
        st.info(plain(f"That can't be told: {sentence(found.refused)}"))
        return
    _show_method(record, report, "PED-ANOVA")
    told = [each.path for each in found.fields if each.value is not None]
    if len(told) > 1 and (figure := map_figure(report, told[0], told[1])) is not None:
        show_still(figure, "map")
        st.caption("Where no setting is near, nothing is drawn; the colour between points is a mean of those around.")
    if st.toggle(
        "fANOVA too", key="fanova", help="A forest for each of 80 resamples: up to half a minute; once for all who look"
    ):
        _show_method(record, report, "fANOVA")
    st.caption(f"{EXPLORATORY}.")


def _show_method(record: StudyRecord, report: SearchReport, method: Method) -> None:
    with st.spinner(f"Working out {method} ..."):
        found = importance_of(record, report, method)
    if found.refused:
        st.info(plain(f"{method} can't be told: {sentence(found.refused)}"))
        return
    if (figure := importance_figure(report, found)) is not None:
        show_still(figure, f"importance-{method}")
    show_table(
        importance_rows(report, found),
        f"importance-{method}",
        f"Importance of each field by {method}, with intervals",
        help={
            "n": "Settings that were asked for the field",
            "p by chance": "Where the values are dealt out at random over the settings: the share of deals in which "
            "the field comes to as much. Not corrected for the number of fields",
        },
    )
    st.caption(plain(sentence("; ".join(found.notes))))


def show_timeline(record: StudyRecord, report: SearchReport) -> None:
    """Who was trained when; what runs ends now."""
    now_ms = int(time.time() * 1000) if record.live else record.updated_ms
    if (figure := timeline_figure(report, now_ms)) is not None:
        st.header("Timeline")
        show_still(figure, "timeline")
