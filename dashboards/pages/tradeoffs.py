"""Trade-offs: any metric against what arms cost, with the Pareto front, by `?study=NAME`."""

from __future__ import annotations

import streamlit as st

from paribus.report.views.tradeoffs import (
    costs_of,
    front_sentence,
    metrics_of,
    trade_off_figure,
    trade_off_rows,
    trade_offs_of,
)
from paribus_dashboards.address import choose
from paribus_dashboards.ledger_view import StudyView
from paribus_dashboards.parts import plain, sentence
from paribus_dashboards.picture import show_still
from paribus_dashboards.shown_table import show_table
from paribus_dashboards.study_page import judged, study_page


def main(uri: str, view: StudyView) -> None:
    """The arms by value and cost."""
    if judged(view) is None:
        return
    st.header("Trade-offs")
    metrics, costs = metrics_of(view.report), costs_of(view.report)
    if not metrics or not costs:
        st.info("No trial that was trained to its end tells a metric and what it cost: there is nothing to weigh yet.")
        return
    left, right = st.columns(2)
    with left:
        name = choose(st.selectbox, "Metric", {name: each.label for name, each in metrics.items()}, key="metric")
    with right:
        cost = choose(st.selectbox, "Against", costs, key="against")
    found = trade_offs_of(view.report, metrics[name], cost)
    if (figure := trade_off_figure(view.report, metrics[name], cost)) is None:
        st.info("No trial that was trained to its end tells both of these.")
        return
    show_still(figure, f"tradeoff-{name}-{cost}")
    st.caption(plain(sentence(front_sentence(found))))
    says = f"Each arm's {metrics[name].label} and {costs[cost]}, with intervals"
    show_table(trade_off_rows(view.report, metrics[name], cost), "tradeoffs", says, help=_HELP)
    st.caption(
        "Means over trials that were trained to their end: what failed to train is in none of them. Seconds and memory "
        "are those of the machines that trained it, whatever else they did."
    )


_HELP = {
    "n": "Trials that were trained to their end and tell both",
    "on the front": "By the means: no other arm is as good in both and better in one",
    "of resamples": "Share of the bootstrap's resamples of the replicates, drawn together over the arms, in which the "
    "arm is on the front",
}


study_page("Trade-offs", main)
