"""The Study page's raw parts: learning curves, failed trials with their reasons, and every trial with its run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from paribus.report.drawing.figures.curve_lines import curve_lines, curve_rows
from paribus.report.export import number_formats, trials_as_csv, trials_as_table, unfinished_as_table
from paribus.report.views.curves import CURVES
from paribus_dashboards.address import choose, choose_some
from paribus_dashboards.ledger_view import StudyView, curves_of
from paribus_dashboards.parts import signed
from paribus_dashboards.picture import show_picture
from paribus_dashboards.shown_table import show_downloads, show_table

if TYPE_CHECKING:
    from paribus.report.study_report import TrialRow

# More arms than there are colours are not told apart.
MOST_ARMS = 8


def show_curves(uri: str, view: StudyView) -> None:
    """Learning curves of the chosen arms with replicate bands, of every metric that was logged."""
    st.header("Learning curves")
    if not (logged := logged_in(view)):
        st.info("No trial has reached the end of its first epoch.")
        return
    groups = view.report.compared()
    with st.container(horizontal=True, vertical_alignment="bottom", key="which-curves"):
        metric = choose(st.selectbox, "Metric", logged, key="curve", width=260)
        group = next(iter(groups))
        if len(groups) > 1:
            group = choose(st.selectbox, "Arms compared with", list(groups), key="stratum", width=300)
        arms = groups[group]
        first = arms[:MOST_ARMS]
        all_of = "all of them" if first == arms else f"the first {len(first)} of {len(arms)}"
        named = f"{all_of}; choose some to see them alone"
        picked = choose_some("Arms", arms, "arm", placeholder=named, width=420) or first
    drawn = rows_of(view, metric, [arm for arm in arms if arm in picked])
    if not drawn:
        st.info("These arms have no points of this metric yet.")
        return
    with st.spinner("Reading the learning curves ..."):
        curves = curves_of(uri, view, metric, drawn)
    picture = curve_lines(curves, CURVES[metric], "training steps")
    if not picture:
        st.info("None of these trials has a number there: each diverged before its first point.")
        return
    show_picture(picture, f"curves-{metric}", curve_rows(curves))


def logged_in(view: StudyView) -> dict[str, str]:
    """What any trial logged that has a curve, by its name: how it is called."""
    return {name: label for name, label in CURVES.items() if any(name in row.logged for row in view.report.begun)}


def rows_of(view: StudyView, metric: str, arms: Sequence[str]) -> list[TrialRow]:
    """The trials of these arms that logged the metric, in the arms' order."""
    rows = [row for row in view.report.begun if row.arm.name in arms and metric in row.logged]
    return sorted(rows, key=lambda row: (arms.index(row.arm.name), row.replicate))


def show_failed(view: StudyView) -> None:
    """Trials without a result: why, and what to do."""
    rows = unfinished_as_table(view.report, interrupted=not view.record.live)
    if not rows:
        return
    st.header("Trials without a result")
    name = f"{view.record.name}-unfinished"
    show_table(rows, name, "A row a trial: why it has no result", badges=("outcome",), links={"MLflow": "run"})
    st.caption("The study's own command runs interrupted and failed trials again; its verb `retry` the failed alone.")


_LINK = {"MLflow": st.column_config.LinkColumn(display_text="run")}


def show_trials(view: StudyView) -> None:
    """Every trial with its numbers, each beside its page and its MLflow run."""
    st.header("Trials")
    if not view.report.begun:
        st.info("No trial has started yet.")
        return
    formats = number_formats(view.report)
    frame = _signed(trials_as_table(view.report)).dropna(axis="columns", how="all")
    frame.insert(0, "page", [f"trial?trial={row.trial_id}" for row in view.report.begun])
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            **_LINK,
            "page": st.column_config.LinkColumn("trial", display_text="open", help="Its curves, log and recipe"),
            **{label: st.column_config.NumberColumn(format=form) for label, form in formats.items()},
        },
        placeholder="",
        key="trials",
        alt="A row a trial: arm, replicate, how it ended, final numbers",
    )
    table = [{name: cell for name, cell in row.items() if name != "MLflow"} for row in trials_as_table(view.report)]
    show_downloads(table, f"{view.record.name}-trials", csv=lambda: trials_as_csv(view.report))


def _signed(rows: list[dict[str, object]]) -> pd.DataFrame:
    """`✗ stuck`, `! failed (no result)`: how each ended, or how it stands."""
    frame = pd.DataFrame(rows)
    frame["outcome"] = [
        signed("failed (no result)" if outcome == "failed" else str(outcome)) for outcome in frame["outcome"]
    ]
    return frame
