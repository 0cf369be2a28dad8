"""The frame: which pages there are, under which addresses, and the row of links between a study's pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import streamlit as st
from streamlit.navigation.page import Page

from paribus.report.reading import StudyRecord
from paribus_dashboards.address import address_of

# A page is a file and a line here: the name of its file in `pages/`, which is its address too (`/study`), and title.
HOME: Final = "overview"
GENERAL: Final[Mapping[str, str]] = {
    HOME: "Studies",
    "compare": "Compare",
    "claims": "Claims",
    "costs": "Costs",
    "cluster": "Cluster",
}
# Of one study, `/NAME?study=...`: they stand in the row that leads from each to all others, in this order.
STUDY_PAGES: Final[Mapping[str, str]] = {
    "study": "Study",
    "effects": "Effects",
    "curves": "Curves",
    "stability": "Stability",
    "tradeoffs": "Trade-offs",
    "examples": "Examples",
    "cost": "Cost",
    "trials": "Trials",
}
# Reached from where they are named.
_OTHER: Final[Mapping[str, str]] = {"search": "Search", "trial": "Trial"}
# What the address of one page of a study says beside the study, and the next page goes on with.
_CARRIED: Final = ("metric",)


def pages() -> list[Page]:
    """Every page; those that need a study, search or trial in their address are in no menu."""
    shown = [_page(name, title, menu=True) for name, title in GENERAL.items()]
    return shown + [_page(name, title, menu=False) for name, title in {**STUDY_PAGES, **_OTHER}.items()]


def _page(name: str, title: str, *, menu: bool) -> Page:
    return st.Page(file_of(name), title=title, default=name == HOME, visibility="visible" if menu else "hidden")


def file_of(name: str) -> str:
    """The page's file, relative to the entry."""
    return f"pages/{name}.py"


def show_row(record: StudyRecord) -> None:
    """Links from a study's page to its other pages and to Home; which study is shown, at which settings, goes along."""
    carried = {word: st.query_params[word] for word in _CARRIED if word in st.query_params}
    with st.container(horizontal=True, gap="xsmall", key="pages-of-study"):
        st.page_link(file_of(HOME), label="All studies", icon=":material/arrow_back:")
        for name, title in STUDY_PAGES.items():
            st.page_link(file_of(name), label=title, query_params={**address_of(record), **carried})
