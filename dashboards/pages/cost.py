"""Cost: what each conclusion took, by `?study=NAME`."""

from __future__ import annotations

from paribus_dashboards.ledger_view import StudyView
from paribus_dashboards.study_page import judged, study_page
from paribus_dashboards.study_parts import show_cost


def main(uri: str, view: StudyView) -> None:
    """Hours and money by contrast, and what came to nothing."""
    if judged(view) is not None:
        show_cost(view)


study_page("Cost", main)
