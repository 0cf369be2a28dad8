"""The Study page's raw parts: learning curves, failed trials with their reasons, and every trial with its run."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from paribus.report.curves import CURVES
from paribus.report.drawing.plots import PALETTE, learning_curves_figure
from paribus.report.export import number_formats, trials_as_table, unfinished_as_table
from paribus_dashboards.ledger_view import StudyView, curves_of
from paribus_dashboards.parts import show_figure, signed


def show_curves(uri: str, view: StudyView) -> None:
    """Learning curves of the chosen arms with replicate bands."""
    st.header("Learning curves")
    rows = view.report.begun
    logged = [name for name in CURVES if any(name in row.logged for row in rows)]
    if not logged:
        st.info("No trial has reached the end of its first epoch.")
        return
    left, middle, right = st.columns(3)
    metric = left.selectbox("Metric", logged, format_func=CURVES.__getitem__, key="curve")
    groups = view.report.compared()
    with middle:
        group = (
            st.selectbox("Arms compared with", list(groups), key="stratum") if len(groups) > 1 else next(iter(groups))
        )
    arms = groups[group]
    first = arms[: len(PALETTE)]
    all_of = "all of them" if first == arms else f"the first {len(first)} of {len(arms)}"
    picked = (
        right.multiselect("Arms", arms, placeholder=f"{all_of}; choose some to see them alone", key=f"arms-{group}")
        or first
    )
    drawn = [row for row in rows if row.arm.name in picked and metric in row.logged]
    if not drawn:
        st.info("These arms have no points of this metric yet.")
        return
    drawn.sort(key=lambda row: (arms.index(row.arm.name), row.replicate))
    show_figure(learning_curves_figure(curves_of(uri, view, metric, drawn), CURVES[metric], "training step"), "curves")


def show_failed(view: StudyView) -> None:
    """Trials without a result: why, and what to do."""
    rows = unfinished_as_table(view.report, interrupted=not view.record.live)
    if not rows:
        return
    st.header("Trials without a result")
    st.dataframe(_signed(rows), hide_index=True, column_config=_LINK, key="failed")
    st.caption("The study's own command runs interrupted and failed trials again; its verb `retry` the failed alone.")


_LINK = {"MLflow": st.column_config.LinkColumn(display_text="run")}


def show_trials(view: StudyView) -> None:
    """Every trial with its numbers, each beside its MLflow run."""
    st.header("Trials")
    if not view.report.begun:
        st.info("No trial has started yet.")
        return
    formats = number_formats(view.report)
    st.dataframe(
        _signed(trials_as_table(view.report)).dropna(axis="columns", how="all"),
        hide_index=True,
        column_config={
            **_LINK,
            **{label: st.column_config.NumberColumn(format=form) for label, form in formats.items()},
        },
        placeholder="",
        key="trials",
    )


def _signed(rows: list[dict[str, object]]) -> pd.DataFrame:
    """`✗ stuck`, `! failed (no result)`: how each ended, or how it stands."""
    frame = pd.DataFrame(rows)
    frame["outcome"] = [
        signed("failed (no result)" if outcome == "failed" else str(outcome)) for outcome in frame["outcome"]
    ]
    return frame
