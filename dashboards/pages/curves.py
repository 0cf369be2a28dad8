"""Curves: the learning curves of a study's arms, by `?study=NAME`."""

from __future__ import annotations

from paribus_dashboards.study_page import study_page
from paribus_dashboards.trial_parts import show_curves

study_page("Curves", show_curves)
