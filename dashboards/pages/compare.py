"""Compare: two studies, or one at two settings, contrast by contrast, by `?first=NAME&second=NAME`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import streamlit as st

from paribus.report.reading import StudyRecord
from paribus.report.searches.search_reading import is_search
from paribus.report.views.comparison import compare, compared_figure, compared_rows, compared_sentence, differing_setups
from paribus_dashboards.address import choose
from paribus_dashboards.ledger_page import ledger_page
from paribus_dashboards.ledger_view import studies, study_view
from paribus_dashboards.parts import plain, sentence
from paribus_dashboards.picture import show_still
from paribus_dashboards.shown_table import show_table

if TYPE_CHECKING:
    from paribus.report.study_report import StudyAnalysis


def main(uri: str) -> None:
    """The two that are chosen, side by side."""
    records = [record for record in studies(uri) if not is_search(record)]
    # What is at several settings first: those are compared most often.
    times = Counter(record.name for record in records)
    records.sort(key=lambda record: (-times[record.name], record.name, not record.settings.declared))
    known = {_name(record): record for record in records}
    if len(known) < 2:
        st.info("The ledger holds one study at one setting: there is nothing to compare it with yet.")
        return
    labels = {name: record.title for name, record in known.items()}
    left, right = st.columns(2)
    with left:
        first = choose(st.selectbox, "First", labels, key="first")
    with right:
        others = {name: label for name, label in labels.items() if name != first}
        same = [name for name in others if known[name].name == known[first].name]
        ordered = {name: others[name] for name in [*same, *(name for name in others if name not in same)]}
        second = choose(st.selectbox, "Second", ordered, key="second")
    analyses = [study_view(uri, known[name]).report for name in (first, second)]
    for report in analyses:
        if report.analysis is None:
            st.warning(plain(f"There are no verdicts of {report.title}: {report.trouble}."))
    if analyses[0].analysis is not None and analyses[1].analysis is not None:
        show(analyses[0].analysis, analyses[1].analysis, labels[first], labels[second])


def show(first: StudyAnalysis, second: StudyAnalysis, one: str, other: str) -> None:
    """Their contrasts, and what they have fixed otherwise."""
    if first.metric.name != second.metric.name:
        st.info(
            f"The first is judged on {first.metric.label} and the second on {second.metric.label}: two metrics have no "
            "difference."
        )
        return
    found = compare(first, second)
    st.markdown(f"**{plain(sentence(compared_sentence(found, min(first.margin, second.margin), first.metric.unit)))}**")
    if (figure := compared_figure(found, one, other)) is not None:
        show_still(figure, "compared")
    if found:
        show_table(compared_rows(found, one, other), "compared", "The contrasts that both have, and whether they agree")
        st.caption(
            "The second's effect minus the first's with Welch's interval, as if the two were independent; p are "
            "corrected over these contrasts. They agree where the difference is within the smaller margin."
        )
    if rows := differing_setups(first, second):
        st.subheader("Fixed otherwise in the two")
        show_table(rows, "setups", "Fields that are fixed otherwise in the two")


def _name(record: StudyRecord) -> str:
    return record.name if record.settings.declared else f"{record.name}@{record.settings.digest}"


ledger_page("Compare", main)
