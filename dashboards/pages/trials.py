"""Trials: every trial of a study with its numbers and its run, by `?study=NAME`."""

from __future__ import annotations

from paribus_dashboards.ledger_view import StudyView
from paribus_dashboards.study_page import study_page
from paribus_dashboards.trial_parts import show_failed, show_trials


def main(uri: str, view: StudyView) -> None:
    """Those without a result first, for they ask for something."""
    show_failed(view)
    show_trials(view)


study_page("Trials", main)
