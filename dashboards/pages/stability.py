"""Stability: how often each arm failed to train, by `?study=NAME`."""

from __future__ import annotations

from paribus_dashboards.ledger_view import StudyView
from paribus_dashboards.study_page import judged, study_page
from paribus_dashboards.study_parts import show_stability


def main(uri: str, view: StudyView) -> None:
    """Whose trials failed to train, and whether that differs from the baseline's."""
    if (analysis := judged(view)) is not None:
        show_stability(analysis)


study_page("Stability", main)
