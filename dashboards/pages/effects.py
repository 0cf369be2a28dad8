"""Effects: what each factor does over all arms, and how two go together, by `?study=NAME`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from paribus.report.drawing.figures.effect_figures import KINDS, cell_rows, effects_forest, factors_of, levels_figure
from paribus_dashboards.address import choose
from paribus_dashboards.ledger_view import StudyView
from paribus_dashboards.parts import plain, sentence
from paribus_dashboards.picture import show_still
from paribus_dashboards.shown_table import show_table
from paribus_dashboards.study_page import judged, study_page
from paribus_dashboards.study_parts import show_factors

if TYPE_CHECKING:
    from paribus.report.study_report import Study, StudyAnalysis

NONE = "none"


def main(uri: str, view: StudyView) -> None:
    """The means by level, and the effects where the design tells them apart."""
    if (analysis := judged(view)) is None:
        return
    study, factors = view.report.study, factors_of(view.report.study, analysis)
    if study is None or not factors:
        st.info("The arms of this study are compared one by one: it varies no factor over all of them.")
        return
    if not analysis.outcomes:
        st.info("No trial has ended yet.")
        return
    st.header("Means by level")
    show_levels(study, analysis, factors)
    st.header("Effects of factors")
    figures = {kind: figure for kind in KINDS if (figure := effects_forest(analysis, kind)) is not None}
    for kind, figure in figures.items():
        show_still(figure, f"effects-{kind}")
    if figures:
        st.caption("Blue: corrected p below the study's level. Circles are replicates; an effect is a mean over them.")
    show_factors(analysis)
    for note in analysis.notes:
        if note.startswith(("effects ", "the main effects ")) or "effects are mixed" in note:
            st.caption(plain(sentence(note)))


def show_levels(study: Study, analysis: StudyAnalysis, factors: dict[str, str]) -> None:
    """One factor's levels, or two factors' together."""
    left, right = st.columns(2)
    with left:
        first = choose(st.selectbox, "Factor", factors, key="factor")
    others = {NONE: "none", **{path: name for path, name in factors.items() if path != first}}
    second = NONE
    if len(others) > 1:
        default = {path: others[path] for path in [*list(others)[1:], NONE]}
        with right:
            second = choose(st.selectbox, "Together with", default, key="with")
    paths = (first,) if second == NONE else (first, second)
    figure = levels_figure(study, analysis, paths, factors)
    if figure is None:
        st.info(
            "No mean can stand beside another: no combination of the other factors has all of these levels with every "
            "trial trained to its end."
        )
    else:
        show_still(figure, f"levels-{'-'.join(paths)}")
        st.caption(
            "Means over the combinations of the other factors that all levels have and that train; intervals rest on "
            "the replicates. That two intervals overlap is no test: the effects below are."
        )
    name = " × ".join(factors[path] for path in paths)
    show_table(
        cell_rows(study, analysis, paths, factors),
        "cells",
        f"Means at the levels of {name}, with intervals and failures",
    )


study_page("Effects", main)
